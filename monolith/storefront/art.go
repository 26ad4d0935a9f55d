package storefront

import (
	"fmt"
	"path"
	"strings"
)

// A palette recolours a product drawing: background, its shade, main, dark, accent.
type palette [5]string

// Drawings are made in the first palette and served in all: the file
// products/kitchen.svg is also products/kitchen-1.svg to products/kitchen-8.svg.
func palettes() []palette {
	return []palette{
		{"#e9eee6", "#cfdccb", "#4f7f64", "#2f5442", "#d98e4a"}, // sage
		{"#f5e8df", "#ecd0bd", "#c0694a", "#8a4530", "#e8b04f"}, // clay
		{"#e6eaf2", "#cad4e6", "#4b6a9b", "#2d4570", "#e39a6b"}, // dusk
		{"#faf0d9", "#f1dcab", "#c98a1b", "#8b5d0c", "#4f7f64"}, // honey
		{"#f0e7ee", "#dfc9da", "#85567d", "#5a3555", "#d9a441"}, // plum
		{"#e8ebed", "#cdd5d9", "#586b76", "#34434c", "#d9694a"}, // slate
		{"#e0efee", "#bcdcda", "#2e7f80", "#175657", "#e7a64b"}, // teal
		{"#f8e7e6", "#eec7c6", "#b8525a", "#812f38", "#6d8f5e"}, // rose
	}
}

// addProductArt adds a drawing under its own name and once for each palette. A
// category may have several drawings, kitchen.svg, kitchen.b.svg, …: its numbers
// go through them in turn, so that neighbours on a page differ.
func (a assets) addProductArt(name string, body []byte) {
	category, motif, _ := strings.Cut(strings.TrimSuffix(name, path.Ext(name)), ".")
	if motif == "" {
		a.add(name, body)
	}
	motifs := 1
	for exists(category, motifs) {
		motifs++
	}
	all := palettes()
	for i, colours := range all {
		if i%motifs != motifIndex(motif) {
			continue
		}
		var pairs []string
		for part, base := range all[0] {
			pairs = append(pairs, base, colours[part])
		}
		a.add(fmt.Sprintf("%s-%d.svg", category, i+1), []byte(strings.NewReplacer(pairs...).Replace(string(body))))
	}
}

func exists(category string, motif int) bool {
	_, err := staticFiles.ReadFile("static/products/" + category + "." + string(rune('a'+motif)) + ".svg")
	return err == nil
}

// motifIndex is 0 for a category's first drawing, 1 for its ".b", and so on.
func motifIndex(motif string) int {
	if motif == "" {
		return 0
	}
	return int(motif[0] - 'a')
}
