-- schema.sql - everything a store holds.
--
-- A state is a chain of nodes: a node has only what differs from its parent. A branch names the
-- node that its changes are written to; when a snapshot is taken or a branch forked, that node
-- ends and the branch goes on with a child of it. So taking, restoring and forking write a row or
-- two, whatever the state holds. A node that only its one child needs any more becomes one with
-- that, by and by.
--
-- What a bucket contains is found by the number of its contents: clearing it, or deleting and
-- creating it again, gives it another.
CREATE TABLE node (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- a parent's is smaller
    parent INTEGER                        -- NULL: nothing is below
);
CREATE INDEX node_parent ON node (parent);

CREATE TABLE branch (
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    node INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE snapshot (
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    node INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX branch_node ON branch (node);
CREATE INDEX snapshot_node ON snapshot (node);

CREATE TABLE contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL
);

CREATE TABLE bucket (
    node INTEGER NOT NULL,
    name TEXT NOT NULL,
    contents INTEGER,    -- NULL: the bucket is not there, whatever is below
    base INTEGER,        -- NULL: what is below, and these changes; 0: only these;
                         -- else the node whose bucket of that name it was taken from
    region TEXT,
    owner TEXT,          -- canonical user id, display name, account id, each on a line
    created_ns INTEGER,
    versioning INTEGER,  -- 0 never, 1 enabled, 2 suspended
    tagging TEXT,
    PRIMARY KEY (node, name)
) WITHOUT ROWID;
CREATE INDEX bucket_base ON bucket (base) WHERE base > 0;

-- Objects, versions and delete markers. The newest of a key is current unless it is a marker.
CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    node INTEGER NOT NULL,
    contents INTEGER NOT NULL,
    key BLOB NOT NULL,
    version INTEGER NOT NULL, -- the number, or 0 of the null version
    kind INTEGER NOT NULL,    -- 0 object, 1 delete marker, 2 not there, whatever is below
    number INTEGER NOT NULL,  -- newer is larger
    modified_ns INTEGER,
    size INTEGER,
    md5 BLOB,                 -- of the bytes; of the parts' if part_count > 0
    part_count INTEGER,
    checksum_algorithm TEXT,
    checksum_type INTEGER,    -- 1 composite, 2 full object
    checksum BLOB,
    attributes BLOB,          -- packed; see table attribute
    parts BLOB,
    upload_id TEXT,
    body BLOB                 -- NULL: its bytes are in segments, see table extent
);
CREATE UNIQUE INDEX object_place ON object (node, contents, key, version);

CREATE TABLE upload (
    id INTEGER PRIMARY KEY,
    node INTEGER NOT NULL,
    contents INTEGER NOT NULL,
    upload_id TEXT NOT NULL,
    gone INTEGER NOT NULL,
    key BLOB NOT NULL,
    initiated_ns INTEGER,
    checksum_algorithm TEXT,
    checksum_type INTEGER,
    owner TEXT,
    attributes BLOB,
    overtaken INTEGER         -- its key was deleted since
);
CREATE UNIQUE INDEX upload_place ON upload (node, contents, upload_id);

CREATE TABLE part (
    id INTEGER PRIMARY KEY,
    node INTEGER NOT NULL,
    contents INTEGER NOT NULL,
    upload_id TEXT NOT NULL,
    key BLOB NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    checksum_algorithm TEXT,
    checksum_type INTEGER,
    checksum BLOB
);
CREATE UNIQUE INDEX part_place ON part (node, contents, upload_id, number);

-- Bytes of larger bodies; objects and parts share them.
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    size INTEGER NOT NULL
);
CREATE TABLE chunk (
    segment INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX chunk_place ON chunk (segment, number);
-- The stretches that a body is made of.
CREATE TABLE extent (
    owner INTEGER NOT NULL,    -- 2 * object.id, or 2 * part.id + 1
    position INTEGER NOT NULL, -- 0, 1, 2 ...
    segment INTEGER NOT NULL,
    first INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (owner, position)
) WITHOUT ROWID;
CREATE INDEX extent_segment ON extent (segment);
-- Segments that may have lost their last extent.
CREATE TABLE loose (segment INTEGER NOT NULL);

CREATE TRIGGER object_gone AFTER DELETE ON object WHEN old.kind = 0 AND old.body IS NULL
BEGIN
    INSERT INTO loose SELECT segment FROM extent WHERE owner = 2 * old.id;
    DELETE FROM extent WHERE owner = 2 * old.id;
END;
CREATE TRIGGER object_replaced AFTER UPDATE OF body ON object
WHEN old.kind = 0 AND old.body IS NULL
BEGIN
    INSERT INTO loose SELECT segment FROM extent WHERE owner = 2 * old.id;
    DELETE FROM extent WHERE owner = 2 * old.id;
END;
CREATE TRIGGER part_gone AFTER DELETE ON part
BEGIN
    INSERT INTO loose SELECT segment FROM extent WHERE owner = 2 * old.id + 1;
    DELETE FROM extent WHERE owner = 2 * old.id + 1;
END;

-- Rows of these contents in this node are nobody's any more.
CREATE TABLE garbage (
    node INTEGER NOT NULL,
    contents INTEGER NOT NULL,
    PRIMARY KEY (node, contents)
) WITHOUT ROWID;

-- The largest number that a version or an upload was ever given.
CREATE TABLE sequence (last INTEGER NOT NULL);
INSERT INTO sequence VALUES (0);

-- What the numbers in packed attributes mean.
CREATE TABLE attribute (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

-- For people: the objects of each branch as long as it was never forked nor snapshotted; each
-- node's own otherwise.
CREATE VIEW own_objects AS
SELECT branch.name AS branch, contents.bucket, CAST(object.key AS TEXT) AS key, object.size,
       lower(hex(object.md5)) AS md5,
       datetime(object.modified_ns / 1000000000, 'unixepoch') AS modified
FROM branch JOIN object ON object.node = branch.node JOIN contents ON contents.id = object.contents
WHERE object.kind = 0;
