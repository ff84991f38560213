//! Databases with extensions that Debian packages: there and back with their rows, beside, over live and by copy.

use backup_testkit::postgres::Shutdown;

use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};

/// The extension that must be offered, and a database that uses it.
const DATABASES: [(&str, &str); 11] = [
    (
        "postgis",
        "CREATE EXTENSION postgis; INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text) \
           SELECT 990001, 'own', 990001, srtext, proj4text FROM spatial_ref_sys WHERE srid = 3857; \
         CREATE TABLE places (id integer PRIMARY KEY, at geometry(Point, 4326), \
           own geometry GENERATED ALWAYS AS (ST_Transform(at, 990001)) STORED); \
         INSERT INTO places (id, at) SELECT g, ST_SetSRID(ST_Point(g % 90, g % 45), 4326) FROM generate_series(1, 500) g; \
         CREATE INDEX ON places USING gist (own); CREATE INDEX ON places USING gist (ST_Transform(at, 3857)); \
         CREATE MATERIALIZED VIEW around AS SELECT ST_AsText(ST_Extent(own), 3) AS box FROM places",
    ),
    (
        "postgis_topology",
        "CREATE EXTENSION postgis; CREATE EXTENSION postgis_topology; SELECT topology.CreateTopology('city', 4326); \
         SELECT topology.AddNode('city', ST_SetSRID(ST_Point(1, 2), 4326)); \
         CREATE TABLE streets (id integer PRIMARY KEY); \
         SELECT topology.AddTopoGeometryColumn('city', 'public', 'streets', 'topo', 'POINT'); \
         INSERT INTO streets VALUES (1, topology.CreateTopoGeom('city', 1, 1, '{{1,1}}'))",
    ),
    (
        "postgis_raster",
        "CREATE EXTENSION postgis; CREATE EXTENSION postgis_raster; CREATE TABLE tiles (id integer PRIMARY KEY, r raster); \
         INSERT INTO tiles SELECT g, ST_AsRaster(ST_Buffer(ST_Point(g, 5), 10), 20, 20) FROM generate_series(1, 5) g; \
         CREATE INDEX ON tiles USING gist (ST_ConvexHull(r)); SELECT AddRasterConstraints('tiles'::name, 'r'::name)",
    ),
    (
        "hll",
        "CREATE EXTENSION hll; CREATE TABLE visits (day integer PRIMARY KEY, users hll); \
         INSERT INTO visits SELECT g, hll_add_agg(hll_hash_integer(h)) FROM generate_series(1, 5) g, generate_series(1, 900) h GROUP BY g; \
         CREATE MATERIALIZED VIEW counted AS SELECT day, hll_cardinality(users)::integer AS n FROM visits",
    ),
    (
        "ip4r",
        "CREATE EXTENSION ip4r; CREATE TABLE nets (n iprange, a ip4 GENERATED ALWAYS AS ('10.0.0.1'::ip4) STORED); \
         INSERT INTO nets VALUES ('10.0.0.0/8'), ('::/0'), ('1.2.3.4-1.2.3.9'); CREATE INDEX ON nets USING gist (n); \
         ALTER TABLE nets ADD EXCLUDE USING gist (n WITH =)",
    ),
    (
        "pg_partman",
        "CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; \
         CREATE TABLE events (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at); \
         SELECT partman.create_parent('public.events', 'at', 'native', 'daily'); \
         INSERT INTO events SELECT g, now() + g * interval '1 minute' FROM generate_series(1, 300) g",
    ),
    (
        "periods",
        "CREATE EXTENSION periods CASCADE; \
         CREATE TABLE staff (id integer NOT NULL, pay integer, since date NOT NULL, until date NOT NULL); \
         SELECT periods.add_period('staff', 'employed', 'since', 'until'); \
         SELECT periods.add_unique_key('staff', ARRAY['id'], 'employed'); \
         CREATE TABLE rooms (staff integer NOT NULL, since date NOT NULL, until date NOT NULL); \
         SELECT periods.add_period('rooms', 'used', 'since', 'until'); \
         INSERT INTO staff SELECT g, g, '2020-01-01', '2024-01-01' FROM generate_series(1, 50) g; \
         INSERT INTO rooms SELECT g, '2021-01-01', '2022-01-01' FROM generate_series(1, 50) g; \
         SELECT periods.add_foreign_key('rooms', ARRAY['staff'], 'used', 'staff_id_employed')",
    ),
    (
        "pg_trgm",
        "CREATE EXTENSION pg_trgm; CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; \
         CREATE TABLE words (w citext PRIMARY KEY, h hstore, p ltree); \
         INSERT INTO words SELECT 'Word ' || g, hstore('n', g::text), ('a.b' || g)::ltree FROM generate_series(1, 200) g; \
         CREATE INDEX ON words USING gin ((w::text) gin_trgm_ops); CREATE INDEX ON words USING gist (p); CREATE INDEX ON words USING gin (h)",
    ),
    (
        "unaccent",
        "CREATE EXTENSION unaccent; CREATE EXTENSION dict_int; \
         CREATE TEXT SEARCH CONFIGURATION plain (COPY = german); \
         ALTER TEXT SEARCH CONFIGURATION plain ALTER MAPPING FOR hword, hword_part, word WITH unaccent, german_stem; \
         CREATE TABLE texts (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('plain', t)) STORED); \
         INSERT INTO texts SELECT 'Über Äpfel ' || g FROM generate_series(1, 100) g; CREATE INDEX ON texts USING gin (v)",
    ),
    (
        "btree_gist",
        "CREATE EXTENSION btree_gist; CREATE EXTENSION \"uuid-ossp\"; CREATE EXTENSION pgcrypto; CREATE EXTENSION tablefunc; \
         CREATE TABLE stays (room integer, at tstzrange, id uuid DEFAULT uuid_generate_v4(), secret bytea, \
           EXCLUDE USING gist (room WITH =, at WITH &&)); \
         INSERT INTO stays SELECT g, tstzrange('2026-01-01', '2026-01-02'), uuid_generate_v4(), digest(g::text, 'sha256') FROM generate_series(1, 50) g",
    ),
    // Last: as long as it is loaded, the server waits for its workers before it drops a database.
    (
        "pglogical",
        "CREATE EXTENSION pglogical; CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'); \
         SELECT pglogical.create_node(node_name := 'here', dsn := 'host=nowhere dbname=t'); \
         SELECT pglogical.replication_set_add_table('default', 't')",
    ),
];

/// All that the server offers; those that it does not are named.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let offered = world.psql("postgres", "SELECT name FROM pg_available_extensions")?;
    let offers = |name: &str| offered.lines().any(|line| line == name);
    let mut without = Vec::new();
    for (name, sql) in DATABASES {
        if !offers(name) {
            without.push(name);
            continue;
        }
        if name == "pglogical" {
            world.psql("postgres", "ALTER SYSTEM SET shared_preload_libraries = 'pglogical'")?;
            world.psql("postgres", "ALTER SYSTEM SET wal_level = 'logical'")?;
            world.cluster().restart(Shutdown::Fast)?;
        }
        one(world, name, sql, &[]).await.within(name)?;
    }
    if offers("pglogical") {
        // So that whoever clears the server need not wait for its workers.
        world.psql("postgres", "ALTER SYSTEM RESET shared_preload_libraries")?;
        world.cluster().restart(Shutdown::Fast)?;
    }
    match without.is_empty() {
        true => Ok(()),
        false => Err(Failure::Skipped(format!("the others passed; the server does not offer {}", without.join(", ")))),
    }
}

/// A database that `sql` makes: beside itself, over itself, and copied; restored with `options`.
pub(super) async fn one(world: &World, name: &str, sql: &str, options: &[&str]) -> RowResult {
    let source = world.create(name)?;
    world.psql(&source, sql)?;
    let before = Picture::of(world.cluster(), &source)?;
    let key = world.dump(&source).await?;
    let beside = world.name(&format!("{name}_beside"));
    world
        .lastgood(["pg", "restore", &key, "--into", &beside, "--jobs", "4"])
        .args(options.iter().copied())
        .ok()
        .await?;
    before.expect(&Picture::of(world.cluster(), &beside)?, "a new database")?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &source]).args(options.iter().copied()).ok().await?;
    before.expect(&Picture::of(world.cluster(), &source)?, "the live database")?;
    let copied = world.name(&format!("{name}_copy"));
    world.lastgood(["pg", "copy", &source, &copied, "--yes"]).ok().await?;
    before.without_settings().expect(&Picture::of(world.cluster(), &copied)?.without_settings(), "a local copy")
}
