-- A geocoder of addresses with a rule of the user's own, and three-dimensional geometry.
CREATE EXTENSION postgis;
CREATE EXTENSION postgis_sfcgal;
CREATE EXTENSION address_standardizer;
CREATE EXTENSION address_standardizer_data_us;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION postgis_tiger_geocoder;
CREATE TABLE addresses (a text, n norm_addy);
INSERT INTO addresses SELECT a, normalize_address(a) FROM (VALUES ('1 Devonshire Place, Boston, MA 02109')) v (a);
INSERT INTO us_rules (rule) VALUES ('1 -1 5 -1 2 17');
