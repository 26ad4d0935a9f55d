package main

import (
	"testing"

	"github.com/stranglerfig/toolkit/internal/service/servicetest"
)

var binary string // the real program

func TestMain(m *testing.M) { servicetest.Main(m, owner, &binary) }

func TestBadInput(t *testing.T) {
	t.Parallel()
	servicetest.Refuses(t, binary, owner, "reviews", map[string]servicetest.Refusal{
		"unknown bug": {Args: []string{"serve"}, Bug: "catalog-odd", Want: "catalog-slow"},
	})
}

func TestHelpNamesTheDrills(t *testing.T) {
	t.Parallel()
	servicetest.NamesDrills(t, binary, "catalog-price", "catalog-slow", "catalog-order")
}
