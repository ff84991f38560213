-- Versions, ranges of them, and a domain.
CREATE EXTENSION semver;
CREATE DOMAIN released AS semver CHECK (VALUE >= '1.0.0');
CREATE TABLE versions (v semver PRIMARY KEY, r released, span semverrange);
INSERT INTO versions SELECT ('1.' || g || '.0-rc.1')::semver, '2.0.0', '[1.0.0,2.0.0)' FROM generate_series(1, 50) g;
CREATE INDEX ON versions USING hash (v);
