-- Which documents name which blobs, and the same as a list in the document.
ALTER TABLE document ADD COLUMN blobs TEXT NOT NULL DEFAULT '';

CREATE TABLE blob_name (
  digest  TEXT NOT NULL,
  kind    TEXT NOT NULL,
  account TEXT NOT NULL,
  region  TEXT NOT NULL,
  id      TEXT NOT NULL,
  PRIMARY KEY (digest, kind, account, region, id)
) STRICT, WITHOUT ROWID;
