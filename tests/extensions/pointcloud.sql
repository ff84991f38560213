-- Points and patches of a format of the user's own, which must be there before them.
CREATE EXTENSION pointcloud;
INSERT INTO pointcloud_formats (pcid, srid, schema) VALUES (7, 0, '<?xml version="1.0" encoding="UTF-8"?>
<pc:PointCloudSchema xmlns:pc="http://pointcloud.org/schemas/PC/1.1">
 <pc:dimension><pc:position>1</pc:position><pc:size>4</pc:size><pc:name>X</pc:name><pc:interpretation>int32_t</pc:interpretation><pc:scale>0.01</pc:scale></pc:dimension>
 <pc:dimension><pc:position>2</pc:position><pc:size>4</pc:size><pc:name>Y</pc:name><pc:interpretation>int32_t</pc:interpretation><pc:scale>0.01</pc:scale></pc:dimension>
 <pc:metadata><Metadata name="compression">none</Metadata></pc:metadata>
</pc:PointCloudSchema>');
CREATE TABLE clouds (id integer PRIMARY KEY, p pcpoint(7), x numeric GENERATED ALWAYS AS (pc_get(p, 'X')) STORED);
INSERT INTO clouds (id, p) SELECT g, pc_makepoint(7, ARRAY[g, g + 1]) FROM generate_series(1, 100) g;
CREATE TABLE patches (pa pcpatch(7));
INSERT INTO patches SELECT pc_patch(p) FROM clouds;
