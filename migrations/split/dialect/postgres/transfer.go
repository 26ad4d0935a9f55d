package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
)

// transfer pipes a COPY TO of one session into a COPY FROM of another and returns the
// number of rows that were written. Memory is bounded by a few blocks and the widest
// row. After an error either session may be closed.
func transfer(ctx context.Context, from *pgx.Conn, fromSQL string, to *pgx.Conn, toSQL string) (int64, error) {
	p := &pipe{full: make(chan []byte, 2), empty: make(chan []byte, 4), gone: make(chan struct{})}
	read := make(chan error, 1)
	go func() {
		_, err := from.PgConn().CopyTo(ctx, p, fromSQL)
		p.finish(err)
		read <- err
	}()
	tag, err := to.PgConn().CopyFrom(ctx, p, toSQL)
	close(p.gone)
	// Without the rows the writer fails, too; the reader has the reason, unless it
	// failed because the writer had gone.
	if readErr := <-read; readErr != nil && !errors.Is(readErr, errGone) {
		return 0, fmt.Errorf("read: %w", readErr)
	}
	if err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	return tag.RowsAffected(), nil
}

// blockBytes is what is handed over at once. COPY comes row by row; a hand-over for
// each of them would cost more than the row.
const blockBytes = 256 << 10

// errGone ends a pipe's writer when nobody reads any more.
var errGone = errors.New("the other session has ended")

// pipe is an io.Pipe that hands over blocks and lets its writer run ahead of its reader
// by a few of them.
type pipe struct {
	full, empty chan []byte
	gone        chan struct{} // closed when nobody reads any more
	filling     []byte
	reading     []byte // the rest of whole
	whole       []byte
	err         error // why the writer ended; set before full is closed
}

// Write keeps data until a block is full.
func (p *pipe) Write(data []byte) (int, error) {
	if len(p.filling)+len(data) > blockBytes && len(p.filling) > 0 {
		if err := p.flush(); err != nil {
			return 0, err
		}
	}
	p.filling = append(p.filling, data...)
	return len(data), nil
}

func (p *pipe) flush() error {
	select {
	case p.full <- p.filling:
	case <-p.gone:
		return errGone
	}
	select {
	case p.filling = <-p.empty:
		p.filling = p.filling[:0]
	default:
		p.filling = make([]byte, 0, blockBytes)
	}
	return nil
}

// finish hands over what is left, and tells the reader why there is no more.
func (p *pipe) finish(err error) {
	if err == nil && len(p.filling) > 0 {
		err = p.flush()
	}
	p.err = err
	close(p.full)
}

// Read returns a part of a block.
func (p *pipe) Read(into []byte) (int, error) {
	for len(p.reading) == 0 {
		if cap(p.whole) == blockBytes { // one that grew for a wide row is not kept
			select {
			case p.empty <- p.whole:
			default:
			}
		}
		block, ok := <-p.full
		switch {
		case ok:
			p.whole, p.reading = block, block
		case p.err != nil:
			return 0, p.err
		default:
			return 0, io.EOF
		}
	}
	n := copy(into, p.reading)
	p.reading = p.reading[n:]
	return n, nil
}
