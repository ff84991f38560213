-- A remote server to be watched: its rows belong to the dump, those of the local server do not. Event triggers.
CREATE EXTENSION powa CASCADE;
INSERT INTO powa_servers (hostname, port, username, dbname, alias) VALUES ('far', 5432, 'u', 'd', 'one');
CREATE TABLE notes (server text);
