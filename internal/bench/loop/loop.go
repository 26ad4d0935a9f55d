// Package loop holds the ends of a proxy's benchmark: a server with fixed answers, a
// relay that parses nothing, and a load generator. Each is one thread around epoll, so
// that it costs little beside what is measured. They speak as much HTTP/1.1 as that
// needs, and are of no use for anything else; Linux only.
package loop

import (
	"errors"
	"time"
)

// ErrUnsupported reports that this system has no epoll.
var ErrUnsupported = errors.New("this part of the benchmark needs Linux")

// patience is how long a load waits for its last answers.
const patience = 5 * time.Second

// A Load is a stream of equal requests over connections that are kept.
type Load struct {
	Addr        string
	Path        string
	Body        int           // bytes of a POST; 0: a GET
	Connections int           // at most so many requests at once
	Rate        int           // requests a second, charged from when they are due; 0: as many as possible
	Warm        time.Duration // how long requests are sent before any counts: connections have to be opened
	Duration    time.Duration // how long requests are sent then

	Clock func() time.Duration `json:"-"` // processor time of what is measured; nil: nobody asks
}

// A Result is what came of a load.
type Result struct {
	Requests  int64 // that were answered well
	Failed    int64
	FirstFail string
	Took      time.Duration
	Processor time.Duration // that passed on the Clock meanwhile
	P50, P99  time.Duration
}

// clock is what the Clock shows.
func (l Load) clock() time.Duration {
	if l.Clock == nil {
		return 0
	}
	return l.Clock()
}

// headers are those of a browser, about 430 bytes.
const headers = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Referer: http://shop.example.test/catalog/shoes?sort=price&page=3\r\n" +
	"Cookie: session=5b0c9e27a1d34c6f8e21d90b7f4a6c13; consent=yes; theme=dark; basket=204f6a\r\n"
