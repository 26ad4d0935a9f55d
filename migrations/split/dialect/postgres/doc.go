// Package postgres is the split engine's knowledge of PostgreSQL, version 14 and later.
//
// Changes are logged by a trigger per row that runs as the application, in its
// transaction, into a log of its own for each table. Rows are read in REPEATABLE READ
// transactions that lock the tables in ACCESS SHARE mode before they take their
// snapshot, because TRUNCATE and rewrites of a table do not keep what older snapshots
// should see. Rows arrive by COPY in the role of a replica, where foreign keys and the
// application's triggers do not answer; the engine's own triggers always do. A table is
// closed by a change of the catalog under a lock, never by a flag in a row: an old
// snapshot would not see the flag.
//
// Keys that are texts are ordered by their bytes, whatever the collation of the column,
// so that both sides of a split agree about what lies behind a cursor. Where the table
// has no index in that order the engine makes one.
//
// A table whose key has no index while it is copied is written by the copy alone: each
// chunk commits its rows together with the cursor behind them, the log waits, and the guard
// keeps everybody else away. So there is nothing beyond the cursor to be deleted, and no
// key twice when the index is made.
//
// The tests named TestFact… hold what all this relies on.
package postgres
