package storefront

import (
	"fmt"
	"strings"
)

// A palette colours a product drawing: background, its shade, main, dark, accent.
type palette [5]string

// palettes are the colours in which every drawing is served. They are made in the
// first: the file products/mug.svg is also products/mug-1.svg to products/mug-8.svg.
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

// sameDrawing names the drawing of things that have none of their own, and of each
// category.
func sameDrawing() map[string]string {
	return map[string]string{
		"bath-stool": "garden-stool", "camp-lantern": "table-lantern", "camp-mug": "mug",
		"laundry-hamper": "harvest-basket", "pencil-case": "desk-organizer", "picnic-blanket": "throw-blanket",
		"pillowcase": "cushion-cover", "reading-light": "desk-lamp", "seed-box": "lunch-box",
		"sketchbook": "notebook", "speaker-stand": "bookshelf-speaker", "tea-towel": "bath-towel", "towel-rack": "bath-towel",

		"audio": "headphones", "bath": "soap-dish", "coffee-tea": "teapot", "garden": "plant-pot", "kitchen": "saucepan",
		"lighting": "pendant-lamp", "outdoor": "daypack", "stationery": "notebook", "textiles": "throw-blanket",
		"toys": "building-blocks",
	}
}

// addProductArt adds the drawing of a thing in every palette.
func (a assets) addProductArt(thing string, drawing []byte) {
	all := palettes()
	a.add("products/"+thing+".svg", drawing)
	for i, colours := range all {
		var pairs []string
		for part, base := range all[0] {
			pairs = append(pairs, base, colours[part])
		}
		coloured := strings.NewReplacer(pairs...).Replace(string(drawing))
		a.add(fmt.Sprintf("products/%s-%d.svg", thing, i+1), []byte(coloured))
	}
}

// shareProductArt serves the drawings under the names that share them, too.
func (a assets) shareProductArt() error {
	for thing, drawing := range sameDrawing() {
		for n := 0; n <= len(palettes()); n++ {
			colour := ""
			if n > 0 {
				colour = fmt.Sprintf("-%d", n)
			}
			file, ok := a["products/"+drawing+colour+".svg"]
			if !ok {
				return fmt.Errorf("no drawing %q for %q", drawing, thing)
			}
			a["products/"+thing+colour+".svg"] = file
		}
	}
	return nil
}
