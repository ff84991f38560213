//! Foreign keys to rows that were left out of the dump.

use crate::ensure_eq;
use crate::harness::{RowResult, World};

/// One key that rows break, one that none needs, one within what is left out, one from and one to a partitioned table.
const SCHEMA: &str = "
CREATE TABLE people (id serial PRIMARY KEY, name text, boss integer REFERENCES people);
INSERT INTO people (name) SELECT 'p' || g FROM generate_series(1, 20) g;
UPDATE people SET boss = 1;
CREATE TABLE posts (id serial PRIMARY KEY, author integer REFERENCES people, v text);
INSERT INTO posts (author, v) SELECT g, 'v' FROM generate_series(1, 20) g;
COMMENT ON CONSTRAINT posts_author_fkey ON posts IS 'who wrote it';
CREATE TABLE drafts (id serial PRIMARY KEY, author integer REFERENCES people, post integer REFERENCES posts);
INSERT INTO drafts (post) SELECT id FROM posts;
COMMENT ON CONSTRAINT drafts_author_fkey ON drafts IS 'who may write it';
CREATE TABLE parts (id integer, author integer REFERENCES people, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (100);
INSERT INTO parts SELECT g, g FROM generate_series(1, 19) g;
CREATE TABLE of_parts (part integer REFERENCES parts);
INSERT INTO of_parts SELECT g FROM generate_series(1, 9) g;";

const KEYS: &str = "SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'f' \
    AND conparentid = 0 AND convalidated";

/// Keys that hold are made, and what is said of them; the others are listed, when dumping and when restoring.
pub(super) async fn to_rows_left_out(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, SCHEMA)?;
    let left_out = ["--exclude-table-data", "people", "--exclude-table-data", "parts_2"];
    let plan = world.lastgood(["pg", "dump", &source, "-n"]).args(left_out).ok().await?;
    plan.says("public.posts.posts_author_fkey")?.says("public.of_parts.of_parts_part_fkey")?;
    let dumped = world.lastgood(["pg", "dump", &source, "--json"]).args(left_out).ok().await?;
    let dumped =
        dumped.says("the foreign key `public.posts.posts_author_fkey` refers to a table whose rows are left out")?;
    let key = dumped.json()?["key"].as_str().unwrap_or_default().to_owned();
    world.lastgood(["pg", "show", &key]).ok().await?.says("public.drafts.drafts_author_fkey")?;

    let copy = world.name("copy");
    let restored = world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    restored
        .says("the foreign key `public.posts.posts_author_fkey` was left out")?
        .says("the foreign key `public.parts.parts_author_fkey` was left out")?
        .never_says("`public.drafts.drafts_author_fkey` was left out")?
        .never_says("`public.of_parts.of_parts_part_fkey` was left out")?;
    let kept = "drafts_author_fkey drafts_post_fkey of_parts_part_fkey people_boss_fkey";
    ensure_eq!(world.psql(&copy, KEYS)?, kept, "foreign keys of the copy");
    let comments = "SELECT string_agg(description, ' ') FROM pg_description WHERE classoid = 'pg_constraint'::regclass";
    ensure_eq!(world.psql(&copy, comments)?, "who may write it", "comments on keys");
    let counts = "SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM posts), (SELECT count(*) FROM parts)";
    ensure_eq!(world.psql(&copy, counts)?, "0|20|9", "rows of the copy");

    // A part of it, where a key is left out for another reason.
    let part = world.name("part");
    let of_part = ["pg", "restore", &key, "--into", &part, "--exclude-table", "posts", "--jobs", "4"];
    world.lastgood(of_part).arg("-n").ok().await?.says("drafts_post_fkey")?;
    world.lastgood(of_part).ok().await?;
    ensure_eq!(
        world.psql(&part, KEYS)?,
        "drafts_author_fkey of_parts_part_fkey people_boss_fkey posts_author_fkey",
        "foreign keys of the part"
    );

    // Whoever leaves nothing out is told nothing.
    world.lastgood(["pg", "dump", &source]).ok().await?.never_says("foreign key")?;
    Ok(())
}
