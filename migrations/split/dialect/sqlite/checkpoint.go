package sqlite

import "context"

// easeAt is how many pages a write-ahead log may have before the engine carries them over
// itself. From a thousand on the connections of an application do.
const easeAt = 500

// ease carries the write-ahead log over into the file, where the engine has just read it
// and nobody need wait. Else an application does it in its commits: in one of a few
// hundred as a rule, but while somebody reads nearly all the time the log cannot begin
// anew, and each commit would carry over a little and wait for the disk. It is not worth an
// error: then they go on doing that.
func (d *Database) ease(ctx context.Context) {
	const tries = 3 // a write of the application meanwhile leaves something to be carried over
	mode := "NOOP"  // only tells how much there is
	for range 1 + tries {
		var busy, pages, carried int
		err := d.guest.Writer.QueryRowxContext(ctx, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &pages, &carried)
		if err != nil || pages < easeAt || pages == carried {
			return
		}
		mode = "PASSIVE" // waits for nobody, and nobody waits for it
	}
}
