-- The schema as it stands: the sum of all migrations. A test compares the two.
CREATE TABLE schema_version (version INTEGER PRIMARY KEY) STRICT;

CREATE TABLE document (
  kind       TEXT    NOT NULL,
  account    TEXT    NOT NULL,
  region     TEXT    NOT NULL, -- empty for global resources
  id         TEXT    NOT NULL,
  parent     TEXT,
  name       TEXT    NOT NULL,
  status     TEXT    NOT NULL,
  created    INTEGER NOT NULL,
  modified   INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  schema     INTEGER NOT NULL,
  body       TEXT    NOT NULL, blobs TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (kind, account, region, id)
) STRICT;
CREATE INDEX document_name             ON document (kind, name, account, region, id);
CREATE INDEX document_status           ON document (kind, status, account, region, id);
CREATE INDEX document_account_name     ON document (kind, account, name, region, id);
CREATE INDEX document_account_created  ON document (kind, account, created, region, id);
CREATE INDEX document_account_modified ON document (kind, account, modified, region, id);
CREATE INDEX document_parent_name      ON document (kind, parent, name, account, region, id) WHERE parent IS NOT NULL;
CREATE INDEX document_parent_created   ON document (kind, parent, created, account, region, id) WHERE parent IS NOT NULL;

CREATE TABLE blob_name (
  digest  TEXT NOT NULL,
  kind    TEXT NOT NULL,
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  id      TEXT NOT NULL,
  PRIMARY KEY (digest, kind, account, region, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
  arn   TEXT NOT NULL,
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (arn, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  topic    TEXT    NOT NULL,
  subject  TEXT    NOT NULL,
  at       INTEGER NOT NULL,
  body     TEXT    NOT NULL
) STRICT;

CREATE TABLE idempotency (
  scope        TEXT    NOT NULL,
  token        TEXT    NOT NULL,
  request_hash TEXT    NOT NULL,
  result       TEXT    NOT NULL,
  expires_at   INTEGER NOT NULL,
  PRIMARY KEY (scope, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);

CREATE TABLE lease (
  name   TEXT    NOT NULL PRIMARY KEY,
  holder TEXT    NOT NULL,
  until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
