-- A queue, whose tables the extension made later and so are the user's; a trigger.
CREATE EXTENSION pgq;
SELECT pgq.create_queue('mail');
SELECT pgq.register_consumer('mail', 'sender');
SELECT pgq.insert_event('mail', 'send', g::text) FROM generate_series(1, 50) g;
SELECT pgq.ticker('mail');
CREATE TABLE letters (id integer PRIMARY KEY, t text);
CREATE TRIGGER queued AFTER INSERT ON letters FOR EACH ROW EXECUTE FUNCTION pgq.logutriga('mail');
INSERT INTO letters VALUES (1, 'a');
