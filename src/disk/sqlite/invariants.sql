-- invariants.sql - what is true of all rows together when a server has stopped: each statement gives
-- the rows of which it is not, as table, row, and what is wrong. Beside columns.sql; tests run both.

SELECT 'file', 0, integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok';

-- The contents of a bucket as each node sees it: by its own row, else its parent's.
WITH RECURSIVE seen (node, name, contents) AS (
    SELECT node, name, contents FROM bucket
    UNION ALL
    SELECT n.id, s.name, s.contents FROM seen s JOIN node n ON n.parent = s.node
    WHERE NOT EXISTS (SELECT 1 FROM bucket k WHERE k.node = n.id AND k.name = s.name)
),
owned (name, id, node, contents) AS (
    SELECT 'object', id, node, contents FROM object
    UNION ALL SELECT 'upload', id, node, contents FROM upload
    UNION ALL SELECT 'part', id, node, contents FROM part
)
SELECT name, id, 'is of no bucket that its node has' FROM owned o
WHERE (node, contents) NOT IN (SELECT node, contents FROM seen WHERE contents IS NOT NULL)
AND (node, contents) NOT IN (SELECT node, contents FROM garbage)
UNION ALL
SELECT 'bucket', k.node || ', ' || k.name, 'is taken from a node that does not have it'
FROM bucket k WHERE k.base > 0
AND (k.base, k.name) NOT IN (SELECT node, name FROM seen WHERE contents IS NOT NULL)
UNION ALL
SELECT 'bucket', k.node || ', ' || k.name, 'goes on with contents that its parent does not have'
FROM bucket k JOIN node n ON n.id = k.node WHERE k.base IS NULL AND k.contents IS NOT NULL
AND (coalesce(n.parent, 0), k.name, k.contents) NOT IN (SELECT node, name, contents FROM seen
                                                        WHERE contents IS NOT NULL);

SELECT 'bucket', min(node) || ', ' || name, 'has contents that another began' FROM bucket
WHERE base IS NOT NULL GROUP BY contents HAVING count(*) > 1;

SELECT 'object', id, 'has other bytes than its size says' FROM object
WHERE kind = 0 AND body IS NULL
AND size <> (SELECT total(length) FROM extent WHERE owner = 2 * object.id);
SELECT 'object', id, 'has bytes twice' FROM object
WHERE body IS NOT NULL AND 2 * id IN (SELECT owner FROM extent);
SELECT 'part', id, 'has other bytes than its size says' FROM part
WHERE size <> (SELECT total(length) FROM extent WHERE owner = 2 * part.id + 1);
SELECT 'part', p.id, 'is of an upload that is gone' FROM part p JOIN upload u
ON u.node = p.node AND u.contents = p.contents AND u.upload_id = p.upload_id WHERE u.gone;

-- What is loose goes, by and by.
SELECT 'segment', id, 'is of no object or part' FROM segment
WHERE id NOT IN (SELECT segment FROM extent) AND id NOT IN (SELECT segment FROM loose);
SELECT 'chunk', rowid, 'is of no segment' FROM chunk
WHERE segment NOT IN (SELECT id FROM segment) AND segment NOT IN (SELECT segment FROM loose);

SELECT 'object', id, 'has a number that may be given again' FROM object
WHERE number > (SELECT last FROM sequence);
SELECT 'node', id, 'has a number that may be given again' FROM node
WHERE id > (SELECT max(seq) FROM sqlite_sequence WHERE name = 'node');
SELECT 'contents', id, 'has a number that may be given again' FROM contents
WHERE id > (SELECT max(seq) FROM sqlite_sequence WHERE name = 'contents');
