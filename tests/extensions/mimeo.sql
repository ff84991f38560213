-- Rows in a table that the extension is configured by.
CREATE SCHEMA dblink;
CREATE SCHEMA mimeo;
CREATE EXTENSION dblink SCHEMA dblink;
CREATE EXTENSION mimeo SCHEMA mimeo;
INSERT INTO mimeo.dblink_mapping_mimeo (data_source, username, pwd) VALUES ('host=nowhere', 'u', 'p');
CREATE TABLE target (id integer PRIMARY KEY);
INSERT INTO target SELECT generate_series(1, 10);
