-- columns.sql - what may stand in each column: each statement gives the rows that are not good, as
-- table, row, column. A database is used only if there is none. The numbers that a row refers to
-- are looked up here, too, so that nothing that is read later is missing; what the rows say
-- together stands in invariants.sql.
SELECT 'node', id, CASE
    WHEN id NOT BETWEEN 1 AND 1 << 60 THEN 'id'
    WHEN parent IS NOT NULL AND (typeof(parent) <> 'integer' OR parent >= id
         OR parent NOT IN (SELECT id FROM node)) THEN 'parent'
    END AS fault FROM node WHERE fault IS NOT NULL;

SELECT 'branch', quote(name), CASE
    WHEN typeof(name) <> 'text' OR length(CAST(name AS BLOB)) NOT BETWEEN 1 AND 128
         OR length(name) <> length(CAST(name AS BLOB)) OR name IN ('.', '..')
         OR name GLOB '*[^-._~+=@0-9A-Za-z]*' THEN 'name'
    WHEN typeof(source) <> 'text' OR length(CAST(source AS BLOB)) > 128
         OR length(source) <> length(CAST(source AS BLOB)) OR source IN ('.', '..')
         OR source GLOB '*[^-._~+=@0-9A-Za-z]*' THEN 'source'
    WHEN typeof(created_ns) <> 'integer' THEN 'created_ns'
    WHEN typeof(node) <> 'integer' OR node NOT IN (SELECT id FROM node) THEN 'node'
    -- Changes are written to it: it must be nobody else's state.
    WHEN EXISTS (SELECT 1 FROM node n WHERE n.parent = b.node)
         OR EXISTS (SELECT 1 FROM snapshot s WHERE s.node = b.node)
         OR EXISTS (SELECT 1 FROM bucket k WHERE k.base = b.node AND k.base > 0)
         OR EXISTS (SELECT 1 FROM branch o WHERE o.node = b.node AND o.name <> b.name) THEN 'node'
    END AS fault FROM branch b WHERE fault IS NOT NULL;
SELECT 'branch', '''main''', 'name' WHERE 'main' NOT IN (SELECT name FROM branch);

SELECT 'snapshot', quote(name), CASE
    WHEN typeof(name) <> 'text' OR length(CAST(name AS BLOB)) NOT BETWEEN 1 AND 128
         OR length(name) <> length(CAST(name AS BLOB)) OR name IN ('.', '..')
         OR name GLOB '*[^-._~+=@0-9A-Za-z]*' THEN 'name'
    WHEN typeof(source) <> 'text' OR length(CAST(source AS BLOB)) > 128
         OR length(source) <> length(CAST(source AS BLOB)) OR source IN ('.', '..')
         OR source GLOB '*[^-._~+=@0-9A-Za-z]*' THEN 'source'
    WHEN typeof(created_ns) <> 'integer' THEN 'created_ns'
    WHEN typeof(node) <> 'integer' OR node NOT IN (SELECT id FROM node) THEN 'node'
    END AS fault FROM snapshot WHERE fault IS NOT NULL;

SELECT 'contents', id, CASE
    WHEN id NOT BETWEEN 1 AND 1 << 60 THEN 'id'
    WHEN typeof(bucket) <> 'text' OR length(CAST(bucket AS BLOB)) NOT BETWEEN 1 AND 63
         OR length(bucket) <> length(CAST(bucket AS BLOB))
         OR bucket GLOB '*[^-._0-9A-Za-z]*' THEN 'bucket'
    END AS fault FROM contents WHERE fault IS NOT NULL;

-- Of a bucket that is not there nothing stands but its name.
SELECT 'bucket', quote(node) || ', ' || quote(name), CASE
    WHEN typeof(node) <> 'integer' OR node NOT IN (SELECT id FROM node) THEN 'node'
    WHEN typeof(name) <> 'text' OR length(CAST(name AS BLOB)) NOT BETWEEN 1 AND 63
         OR length(name) <> length(CAST(name AS BLOB))
         OR name GLOB '*[^-._0-9A-Za-z]*' THEN 'name'
    WHEN contents IS NOT NULL AND (typeof(contents) <> 'integer'
         OR NOT EXISTS (SELECT 1 FROM contents c WHERE c.id = k.contents AND c.bucket = k.name))
         THEN 'contents'
    WHEN base IS NOT NULL AND (typeof(base) <> 'integer' OR base < 0 OR base = node
         OR (base > 0 AND base NOT IN (SELECT id FROM node)) OR contents IS NULL) THEN 'base'
    WHEN typeof(region) <> iif(contents IS NULL, 'null', 'text')
         OR length(CAST(region AS BLOB)) > 31 OR length(region) <> length(CAST(region AS BLOB))
         OR region GLOB '*[^-_0-9A-Za-z]*' THEN 'region'
    WHEN typeof(owner) <> iif(contents IS NULL, 'null', 'text')
         OR length(CAST(owner AS BLOB)) > 1024 OR instr(CAST(owner AS BLOB), x'00') > 0
         THEN 'owner'
    WHEN typeof(created_ns) <> iif(contents IS NULL, 'null', 'integer') THEN 'created_ns'
    WHEN typeof(versioning) <> iif(contents IS NULL, 'null', 'integer')
         OR versioning NOT BETWEEN 0 AND 2 THEN 'versioning'
    WHEN tagging IS NOT NULL AND (typeof(tagging) <> 'text' OR contents IS NULL
         OR length(CAST(tagging AS BLOB)) > 1 << 20 OR instr(CAST(tagging AS BLOB), x'00') > 0)
         THEN 'tagging'
    END AS fault FROM bucket k WHERE fault IS NOT NULL;

-- Each node and contents once: they stand in the index.
SELECT 'object', (SELECT id FROM object o WHERE o.node IS d.node AND o.contents IS d.contents),
CASE
    WHEN typeof(node) <> 'integer' OR node NOT IN (SELECT id FROM node) THEN 'node'
    WHEN typeof(contents) <> 'integer' OR contents NOT IN (SELECT id FROM contents) THEN 'contents'
    END AS fault FROM (SELECT DISTINCT node, contents FROM object) d WHERE fault IS NOT NULL;
-- Of a delete marker, and of what is not there, nothing stands but its place.
SELECT 'object', id, 'id' FROM object WHERE id < 1 OR id > 1 << 60;
SELECT 'object', id, CASE
    WHEN typeof(key) <> 'blob' OR length(key) NOT BETWEEN 1 AND 1024 THEN 'key'
    WHEN typeof(number) <> 'integer' OR number NOT BETWEEN 1 AND 1 << 47 THEN 'number'
    WHEN typeof(version) <> 'integer' OR version NOT IN (0, number) THEN 'version'
    WHEN typeof(kind) <> 'integer' OR kind NOT BETWEEN 0 AND 2 THEN 'kind'
    WHEN typeof(modified_ns) <> 'integer' THEN 'modified_ns'
    WHEN kind > 0 THEN CASE
        WHEN size IS NOT NULL THEN 'size'
        WHEN md5 IS NOT NULL THEN 'md5'
        WHEN part_count IS NOT NULL THEN 'part_count'
        WHEN checksum_algorithm IS NOT NULL THEN 'checksum_algorithm'
        WHEN checksum_type IS NOT NULL THEN 'checksum_type'
        WHEN checksum IS NOT NULL THEN 'checksum'
        WHEN attributes IS NOT NULL THEN 'attributes'
        WHEN parts IS NOT NULL THEN 'parts'
        WHEN upload_id IS NOT NULL THEN 'upload_id'
        WHEN body IS NOT NULL THEN 'body'
        END
    WHEN typeof(size) <> 'integer' OR size NOT BETWEEN 0 AND (1 << 48) - 1 THEN 'size'
    WHEN typeof(md5) <> 'blob' OR length(md5) <> 16 THEN 'md5'
    WHEN typeof(part_count) <> 'integer' OR part_count NOT BETWEEN 0 AND 10000 THEN 'part_count'
    WHEN checksum_algorithm IS NULL AND checksum_type IS NOT NULL THEN 'checksum_type'
    WHEN checksum_algorithm IS NULL AND checksum IS NOT NULL THEN 'checksum'
    WHEN checksum_algorithm IS NOT NULL AND (typeof(checksum_algorithm) <> 'text'
         OR typeof(checksum_type) <> 'integer' OR checksum_type NOT BETWEEN 0 AND 2
         OR typeof(checksum) <> 'blob') THEN 'checksum'
    WHEN attributes IS NOT NULL AND typeof(attributes) <> 'blob' THEN 'attributes'
    WHEN parts IS NOT NULL AND (typeof(parts) <> 'blob' OR part_count = 0) THEN 'parts'
    WHEN upload_id IS NOT NULL AND (typeof(upload_id) <> 'text'
         OR length(CAST(upload_id AS BLOB)) NOT BETWEEN 1 AND 95
         OR length(upload_id) <> length(CAST(upload_id AS BLOB))
         OR upload_id GLOB '*[^-._0-9A-Za-z]*') THEN 'upload_id'
    WHEN body IS NOT NULL AND (typeof(body) <> 'blob' OR length(body) <> size) THEN 'body'
    END AS fault FROM object
-- Most rows are good, which is seen at less cost: x | 0 is the integer, a blob is at least x'', a
-- text less than that and at least ''.
WHERE (kind = 0 AND (number - 1 | size) >> 47 = 0 AND number | 0 = number
    AND (version = 0 OR version = number) AND modified_ns | 0 = modified_ns AND part_count = 0
    AND key > x'' AND length(key) <= 1024 AND md5 >= x'' AND length(md5) = 16
    AND parts IS NULL AND upload_id IS NULL AND (attributes IS NULL OR attributes >= x'')
    AND iif(checksum_algorithm IS NULL, checksum_type IS NULL AND checksum IS NULL,
        checksum_algorithm >= '' AND checksum_algorithm < x'' AND checksum >= x''
        AND checksum_type BETWEEN 0 AND 2 AND checksum_type | 0 = checksum_type)
    AND iif(body IS NULL, size | 0 = size, body >= x'' AND length(body) = size)) IS NOT TRUE
AND fault IS NOT NULL;

-- Of an upload that is gone nothing stands but its place.
SELECT 'upload', id, CASE
    WHEN id NOT BETWEEN 1 AND 1 << 60 THEN 'id'
    WHEN typeof(node) <> 'integer' OR node NOT IN (SELECT id FROM node) THEN 'node'
    WHEN typeof(contents) <> 'integer' OR contents NOT IN (SELECT id FROM contents) THEN 'contents'
    WHEN typeof(upload_id) <> 'text' OR length(CAST(upload_id AS BLOB)) NOT BETWEEN 1 AND 95
         OR length(upload_id) <> length(CAST(upload_id AS BLOB))
         OR upload_id GLOB '*[^-._0-9A-Za-z]*' THEN 'upload_id'
    WHEN typeof(gone) <> 'integer' OR gone NOT BETWEEN 0 AND 1 THEN 'gone'
    WHEN typeof(key) <> 'blob' OR length(key) NOT BETWEEN 1 AND 1024 THEN 'key'
    WHEN typeof(initiated_ns) <> iif(gone, 'null', 'integer') THEN 'initiated_ns'
    WHEN checksum_algorithm IS NOT NULL AND (gone OR typeof(checksum_algorithm) <> 'text')
         THEN 'checksum_algorithm'
    WHEN typeof(checksum_type) <> iif(gone, 'null', 'integer')
         OR checksum_type NOT BETWEEN 0 AND 2 THEN 'checksum_type'
    WHEN typeof(owner) <> iif(gone, 'null', 'text') OR length(CAST(owner AS BLOB)) > 1024
         OR instr(CAST(owner AS BLOB), x'00') > 0 THEN 'owner'
    WHEN attributes IS NOT NULL AND (gone OR typeof(attributes) <> 'blob') THEN 'attributes'
    WHEN typeof(overtaken) <> iif(gone, 'null', 'integer') OR overtaken NOT BETWEEN 0 AND 1
         THEN 'overtaken'
    END AS fault FROM upload WHERE fault IS NOT NULL;

SELECT 'part', id, CASE
    WHEN id NOT BETWEEN 1 AND 1 << 60 THEN 'id'
    WHEN typeof(node) <> 'integer' OR node NOT IN (SELECT id FROM node) THEN 'node'
    WHEN typeof(contents) <> 'integer' OR contents NOT IN (SELECT id FROM contents) THEN 'contents'
    WHEN typeof(upload_id) <> 'text' OR length(CAST(upload_id AS BLOB)) NOT BETWEEN 1 AND 95
         OR length(upload_id) <> length(CAST(upload_id AS BLOB))
         OR upload_id GLOB '*[^-._0-9A-Za-z]*' THEN 'upload_id'
    WHEN typeof(key) <> 'blob' OR length(key) NOT BETWEEN 1 AND 1024 THEN 'key'
    WHEN typeof(number) <> 'integer' OR number NOT BETWEEN 1 AND 10000 THEN 'number'
    WHEN typeof(size) <> 'integer' OR size NOT BETWEEN 0 AND (1 << 48) - 1 THEN 'size'
    WHEN typeof(modified_ns) <> 'integer' THEN 'modified_ns'
    WHEN typeof(md5) <> 'blob' OR length(md5) <> 16 THEN 'md5'
    WHEN checksum_algorithm IS NULL AND checksum_type IS NOT NULL THEN 'checksum_type'
    WHEN checksum_algorithm IS NULL AND checksum IS NOT NULL THEN 'checksum'
    WHEN checksum_algorithm IS NOT NULL AND typeof(checksum_algorithm) <> 'text'
         THEN 'checksum_algorithm'
    WHEN checksum_algorithm IS NOT NULL AND (typeof(checksum_type) <> 'integer'
         OR checksum_type NOT BETWEEN 0 AND 2) THEN 'checksum_type'
    WHEN checksum_algorithm IS NOT NULL AND typeof(checksum) <> 'blob' THEN 'checksum'
    END AS fault FROM part WHERE fault IS NOT NULL;

SELECT 'chunk', rowid, CASE
    WHEN typeof(segment) <> 'integer' OR segment NOT BETWEEN 1 AND 1 << 60 THEN 'segment'
    WHEN typeof(number) <> 'integer' OR number NOT BETWEEN 0 AND 1 << 40 THEN 'number'
    WHEN typeof(bytes) <> 'blob' OR length(bytes) NOT BETWEEN 1 AND 1 << 19 THEN 'bytes'
    END AS fault FROM chunk WHERE fault IS NOT NULL;

-- Its chunks are all there, each but the last of 512 KiB, and have its bytes.
SELECT 'segment', id, CASE
    WHEN id NOT BETWEEN 1 AND 1 << 60 THEN 'id'
    WHEN typeof(size) <> 'integer' OR size NOT BETWEEN 1 AND (1 << 48) - 1 THEN 'size'
    WHEN (SELECT total(length(bytes)) = s.size AND count(*) = (s.size - 1) / (1 << 19) + 1
          AND max(number) = count(*) - 1
          AND total(length(bytes) < 1 << 19 AND number < (s.size - 1) / (1 << 19)) = 0
          FROM chunk WHERE segment = s.id) IS NOT 1 THEN 'size'
    END AS fault FROM segment s WHERE fault IS NOT NULL;

SELECT 'extent', quote(owner) || ', ' || quote(position), CASE
    WHEN typeof(owner) <> 'integer' OR owner NOT BETWEEN 2 AND 1 << 61 OR NOT iif(owner % 2,
         EXISTS (SELECT 1 FROM part WHERE id = x.owner / 2),
         EXISTS (SELECT 1 FROM object WHERE id = x.owner / 2 AND kind = 0 AND body IS NULL))
         THEN 'owner'
    WHEN typeof(position) <> 'integer' OR position < 0 OR (position > 0
         AND NOT EXISTS (SELECT 1 FROM extent o WHERE o.owner = x.owner
                         AND o.position = x.position - 1)) THEN 'position'
    WHEN typeof(segment) <> 'integer' OR segment NOT IN (SELECT id FROM segment) THEN 'segment'
    WHEN typeof(first) <> 'integer' OR first < 0 THEN 'first'
    WHEN typeof(length) <> 'integer' OR length NOT BETWEEN 1
         AND (SELECT size FROM segment WHERE id = x.segment) - first THEN 'length'
    END AS fault FROM extent x WHERE fault IS NOT NULL;

SELECT 'loose', rowid, 'segment' FROM loose
WHERE typeof(segment) <> 'integer' OR segment NOT BETWEEN 1 AND 1 << 60;

SELECT 'garbage', quote(node) || ', ' || quote(contents), CASE
    WHEN typeof(node) <> 'integer' OR node NOT IN (SELECT id FROM node) THEN 'node'
    WHEN typeof(contents) <> 'integer' OR contents < 1 THEN 'contents'
    END AS fault FROM garbage WHERE fault IS NOT NULL;

SELECT 'sequence', rowid, 'last' FROM sequence
WHERE typeof(last) <> 'integer' OR last NOT BETWEEN 0 AND 1 << 47;
SELECT 'sequence', 1, 'last' WHERE (SELECT count(*) FROM sequence) <> 1;

SELECT 'attribute', number, 'name' FROM attribute
WHERE typeof(number) <> 'integer' OR typeof(name) <> 'text';

SELECT 'sqlite_sequence', rowid, CASE
    WHEN typeof(name) <> 'text' OR name NOT IN ('node', 'contents') THEN 'name'
    WHEN typeof(seq) <> 'integer' OR seq NOT BETWEEN 0 AND 1 << 60 THEN 'seq'
    END AS fault FROM sqlite_sequence WHERE fault IS NOT NULL;
