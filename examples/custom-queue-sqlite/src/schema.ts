/** What is in the file. Opening it twice changes nothing. */
export const schema = `
  PRAGMA journal_mode = WAL;   -- readers and one writer at a time do not wait for each other
  PRAGMA synchronous = FULL;   -- a commit is on the disk before it returns

  CREATE TABLE IF NOT EXISTS events (
    place     INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of the pushes; never used again
    record    ANY NOT NULL,                         -- CloudEvents JSON; what others write may be anything
    pushed_at INTEGER NOT NULL,                   -- times are milliseconds since the Unix epoch
    attempts  INTEGER NOT NULL DEFAULT 0,         -- counts every hand-out, in the statement that hands out
    token     TEXT UNIQUE,                        -- names the hand-out; NULL if there was none, or it was returned
    free_at   INTEGER NOT NULL                    -- the end of the lease or of the delay; from then on it is ready
  ) STRICT;

  CREATE TABLE IF NOT EXISTS dead_letters (
    place    INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL,
    record   ANY NOT NULL,
    attempts INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    dead_at  INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS dead_letters_by_id ON dead_letters (id);
`;
