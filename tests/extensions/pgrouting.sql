-- A materialized view of a route: its functions look for others by the search path.
CREATE EXTENSION pgrouting CASCADE;
CREATE TABLE ways (id bigint PRIMARY KEY, source bigint, target bigint, cost float8, geom geometry(LineString, 4326));
INSERT INTO ways SELECT g, g, g + 1, 1, ST_SetSRID(ST_MakeLine(ST_Point(g, 0), ST_Point(g + 1, 0)), 4326) FROM generate_series(1, 50) g;
CREATE MATERIALIZED VIEW route AS SELECT seq, node FROM pgr_dijkstra('SELECT id, source, target, cost FROM public.ways', 1, 20);
