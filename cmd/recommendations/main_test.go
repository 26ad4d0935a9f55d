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
		"unknown bug": {Args: []string{"serve"}, Bug: "recommendations-odd", Want: "recommendations-slow"},
	})
}

func TestHelpNamesTheDrills(t *testing.T) {
	t.Parallel()
	servicetest.NamesDrills(t, binary, "recommendations-slow", "recommendations-garbage", "recommendations-wrong", "recommendations-image")
}
