//go:build !linux

package handover

import (
	"context"
	"log/slog"
)

// A Taken is what a predecessor hands over; there is none on this system.
type Taken struct {
	Listeners Listeners
	From      int
}

// Take returns ErrUnsupported.
func Take(context.Context, string) (*Taken, error) { return nil, ErrUnsupported }

// Serving returns ErrUnsupported.
func (*Taken) Serving() error { return ErrUnsupported }

// Close does nothing.
func (*Taken) Close() {}

// An Offer waits for a successor; there is none on this system.
type Offer struct{}

// New returns ErrUnsupported.
func New(string, Listeners, *slog.Logger) (*Offer, error) { return nil, ErrUnsupported }

// Taken returns nil: no successor comes.
func (*Offer) Taken() <-chan struct{} { return nil }

// Close does nothing.
func (*Offer) Close() {}

// Inherited returns nothing.
func Inherited(func(string) (string, bool)) (Listeners, error) { return nil, nil }
