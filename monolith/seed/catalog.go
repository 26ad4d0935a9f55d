package seed

// A Category is a department of the shop with what it sells.
type Category struct {
	Slug, Name, Code string
	Materials        []Material
	Nouns            []Noun
}

// A Material goes into a name and says something in the description.
type Material struct {
	Name, Care, Tag string
	Percent         int64 // of the noun's price
}

// A Noun is a kind of product.
type Noun struct {
	Name  string
	Cents int64 // a usual price
	About string
	Tags  string // space-separated
}

// series are lines of products, as makers name them.
var series = [...]string{
	"Harlow", "Fjord", "Linden", "Marlow", "Juniper", "Alder",
	"Calder", "Wren", "Osten", "Bramble", "Hartwell", "Solace",
}

var (
	walnut    = Material{"Walnut", "Oil it twice a year and the grain only gets deeper.", "wood", 130}
	oak       = Material{"Oak", "Solid oak from managed forests, finished with hard wax.", "wood", 115}
	beech     = Material{"Beech", "Pale beech, sanded smooth and left natural.", "wood", 90}
	bamboo    = Material{"Bamboo", "Light, quick to dry and renewed within five years.", "bamboo", 80}
	steel     = Material{"Steel", "Brushed stainless steel that does not mind the dishwasher.", "metal", 100}
	brass     = Material{"Brass", "Unlacquered brass that turns warmer with every year.", "metal", 140}
	copper    = Material{"Copper", "Hand-polished copper with a tin-free lining.", "metal", 150}
	iron      = Material{"Cast-Iron", "Seasoned twice before it leaves the foundry.", "metal", 120}
	enamel    = Material{"Enamel", "Thick enamel that shrugs off knocks and stains.", "enamel", 85}
	stoneware = Material{"Stoneware", "Fired at 1,260 °C, so it is safe in oven and microwave.", "ceramic", 95}
	porcelain = Material{"Porcelain", "Thin, strong and translucent when held to the light.", "ceramic", 110}
	terra     = Material{"Terracotta", "Breathing clay, frost-proof down to -15 °C.", "ceramic", 75}
	glass     = Material{"Glass", "Borosilicate glass that takes boiling water and ice alike.", "glass", 90}
	linen     = Material{"Linen", "European flax, stone-washed until it is soft.", "linen", 120}
	cotton    = Material{"Cotton", "Organic cotton, woven tight to last.", "cotton", 85}
	wool      = Material{"Wool", "Undyed wool from small flocks; air it and it stays fresh.", "wool", 130}
	felt      = Material{"Felt", "Pressed merino felt, three millimetres thick.", "wool", 90}
	canvas    = Material{"Canvas", "Waxed canvas that keeps out an honest shower.", "canvas", 100}
	leather   = Material{"Leather", "Vegetable-tanned leather; every scratch becomes part of it.", "leather", 150}
	cork      = Material{"Cork", "Harvested without felling a single tree.", "cork", 80}
	rattan    = Material{"Rattan", "Woven by hand, light enough to move with one finger.", "rattan", 105}
	recycled  = Material{"Recycled", "Made of at least 80% recycled material.", "recycled", 88}
	marble    = Material{"Marble", "Cut from one block, so no two are the same.", "stone", 160}
	paper     = Material{"Cotton-Paper", "Mould-made paper with a deckled edge.", "paper", 95}
)

// Categories are the departments of the shop. The storefront has a drawing of each.
var Categories = []Category{
	{"kitchen", "Kitchen", "KIT", []Material{
		walnut, oak, beech, bamboo, steel, copper, iron, enamel, stoneware, marble, glass, recycled, porcelain, brass,
	}, []Noun{
		{"Chopping Board", 3900, "A board with a groove for juices and a weight that keeps it in place.", "cooking board"},
		{"Frying Pan", 5900, "Sears a steak and slides out an omelette, on gas and induction.", "cooking pan"},
		{"Mixing Bowl", 2400, "Deep enough to whisk cream without painting the wall.", "baking bowl"},
		{"Pepper Mill", 3200, "A ceramic grinder, set from dust to cracked with half a turn.", "spices table"},
		{"Saucepan", 6400, "A lip on both sides pours cleanly, whichever hand you use.", "cooking pan"},
		{"Rolling Pin", 2100, "Tapered at the ends, for pastry that is thin in the middle too.", "baking"},
		{"Salad Servers", 1900, "A pair that reaches the bottom of the largest bowl.", "table"},
		{"Spice Rack", 4500, "Twelve jars in reach of the stove, labels included.", "spices storage"},
		{"Mortar and Pestle", 3600, "Rough inside and heavy at the foot, for pesto in five minutes.", "spices cooking"},
		{"Bread Bin", 5200, "Keeps a loaf for four days: the lid lets it breathe.", "baking storage"},
		{"Serving Tray", 3400, "High handles and a rim, for breakfast where you want it.", "table gift"},
		{"Measuring Cups", 1800, "Six cups from a spoonful to a pint, nested in one.", "baking"},
	}},
	{"coffee-tea", "Coffee & Tea", "COF", []Material{
		stoneware, porcelain, glass, steel, copper, enamel, walnut, brass, bamboo, iron, cork, oak, recycled, marble,
	}, []Noun{
		{"Pour-Over Dripper", 2700, "Ribs that guide the water and a hole that sets the pace.", "coffee brewing"},
		{"Teapot", 4800, "Pours without a drip, down to the last cup.", "tea brewing"},
		{"Espresso Cup", 1400, "A thick wall keeps two sips hot until the second.", "coffee cup"},
		{"Moka Pot", 3900, "Three minutes to a strong cup, on any stove.", "coffee brewing"},
		{"Tea Caddy", 2200, "An inner lid keeps 150 g of leaves as fresh as they came.", "tea storage"},
		{"Coffee Grinder", 7900, "Forty settings and a crank that turns as if on ice.", "coffee brewing"},
		{"Mug", 1600, "Twelve ounces, and a handle for four fingers.", "coffee tea cup gift"},
		{"French Press", 4200, "A double screen leaves the grounds where they belong.", "coffee brewing"},
		{"Tea Strainer", 1200, "Fine as a sieve should be, with a rest for the drips.", "tea"},
		{"Gooseneck Kettle", 6900, "A thin, steady stream that goes where you point it.", "coffee tea brewing"},
		{"Milk Jug", 1900, "A sharp spout for latte art, or just for milk.", "coffee"},
		{"Coffee Scoop", 900, "Ten grams, level. Clips the bag shut afterwards.", "coffee gift"},
	}},
	{"lighting", "Lighting", "LIG", []Material{
		brass, copper, steel, glass, linen, rattan, oak, walnut, porcelain, paper, marble, bamboo, recycled, iron,
	}, []Noun{
		{"Pendant Lamp", 12900, "Hangs low over a table and keeps the glare out of your eyes.", "ceiling"},
		{"Desk Lamp", 8900, "Two joints and a heavy foot: it stays where you leave it.", "desk office"},
		{"Floor Lamp", 15900, "Light to read by, from behind your favourite chair.", "reading"},
		{"Table Lantern", 4900, "For a candle or a light string, in and out of doors.", "candle garden"},
		{"Wall Sconce", 7400, "Washes the wall with light, upwards and down.", "wall"},
		{"Candle Holder", 1900, "Takes tea lights on one side and dinner candles on the other.", "candle gift"},
		{"Reading Light", 3900, "Clips to the shelf, dims to a glow, charges by USB.", "reading"},
		{"Night Light", 2400, "Knows when it is dark and when to leave you alone.", "children"},
		{"Lamp Shade", 3400, "Fits common sockets; the light comes through warm.", "shade"},
		{"Ceiling Spot", 5400, "Turns and tilts to put the picture in the best light.", "ceiling"},
		{"Light String", 2900, "Ten metres with fifty lights, and a timer.", "garden party"},
		{"Bedside Lamp", 6400, "One touch for late pages, a second for the way to the door.", "bedroom reading"},
	}},
	{"textiles", "Home Textiles", "TEX", []Material{
		linen, cotton, wool, felt, recycled, canvas,
		{"Waffle", "Waffle-woven cotton that dries you and then itself.", "cotton", 90},
		{"Merino", "Superfine merino that never itches.", "wool", 150},
		{"Alpaca", "Warm as wool at half the weight.", "wool", 170},
		{"Hemp", "Tough fibres that get softer with each wash.", "hemp", 105},
		{"Velvet", "Short pile with a quiet shine.", "velvet", 125},
		{"Jersey", "Stretches over corners and comes out of the dryer smooth.", "cotton", 80},
		{"Mohair", "A brushed surface full of air.", "wool", 160},
		{"Gauze", "Two layers of crinkled gauze; never ironed.", "cotton", 95},
	}, []Noun{
		{"Throw Blanket", 7900, "Big enough for two on one sofa.", "bedroom sofa gift"},
		{"Cushion Cover", 2400, "A hidden zip and a hem that keeps its corners.", "sofa"},
		{"Bath Towel", 2900, "Drinks up the water and gives it back to the line.", "bath"},
		{"Table Runner", 3200, "Frames dinner for eight without hiding the table.", "table"},
		{"Duvet Cover", 9900, "Corner ties inside: the duvet stays where it should.", "bedroom"},
		{"Tea Towel", 1300, "Dries glasses without a fluff.", "kitchen gift"},
		{"Napkin Set", 2600, "Four, with mitred corners, and nicer after each wash.", "table"},
		{"Pillowcase", 1900, "An envelope closing: no buttons in your ear.", "bedroom"},
		{"Curtain Panel", 6900, "Filters the noon and lets the evening through.", "window"},
		{"Bath Mat", 2700, "Heavy, absorbent, and it does not walk.", "bath"},
		{"Apron", 3600, "Cross-back straps and a pocket for the towel.", "kitchen cooking gift"},
		{"Floor Cushion", 8400, "A seat for whoever comes fifth.", "sofa children"},
	}},
	{"stationery", "Stationery", "STA", []Material{
		paper, leather, brass, walnut, recycled, linen, cork, felt, steel, canvas, oak, copper, beech, bamboo,
	}, []Noun{
		{"Notebook", 1600, "Lies flat, takes fountain-pen ink, has numbered pages.", "writing gift"},
		{"Fountain Pen", 4900, "A steel nib that starts at once, even after a holiday.", "writing gift"},
		{"Pencil Case", 2200, "Stands open on the desk, rolls up in the bag.", "writing school"},
		{"Desk Organizer", 3900, "Everything you look for twice a day, in one place.", "desk office"},
		{"Letter Opener", 1800, "Balanced, blunt to fingers, sharp to paper.", "desk office"},
		{"Sketchbook", 2100, "Heavy sheets for ink and a little watercolour.", "drawing"},
		{"Bookmark Set", 900, "Three, so that three books can be begun.", "reading gift"},
		{"Ruler", 1100, "Engraved on both edges: centimetres and inches.", "desk school"},
		{"Card Holder", 2600, "Six cards and a folded note, flat in the pocket.", "gift"},
		{"Weekly Planner", 1900, "Undated: begin whenever you are ready.", "writing office"},
		{"Ink Bottle", 1400, "Fifty millilitres that dry before your hand arrives.", "writing"},
		{"Paperweight", 2400, "Keeps the window open and the papers down.", "desk gift"},
	}},
	{"garden", "Garden", "GAR", []Material{
		terra, steel, copper, oak, rattan, enamel, bamboo, stoneware, recycled, iron, canvas, glass, brass, beech,
	}, []Noun{
		{"Plant Pot", 1900, "With a saucer and a hole in the right place.", "plants"},
		{"Watering Can", 3400, "A long spout that reaches the back row.", "plants tools"},
		{"Hand Trowel", 1700, "Depth marks up to fifteen centimetres; a loop to hang it by.", "tools"},
		{"Pruning Shears", 3900, "Cuts green wood as thick as a thumb, cleanly.", "tools"},
		{"Bird Feeder", 2800, "Three perches, and a baffle that squirrels respect.", "birds gift"},
		{"Herb Planter", 3200, "Room for basil, thyme and one that you cannot name.", "plants herbs"},
		{"Garden Stool", 6900, "A seat, a side table, a stand for the big pot.", "furniture"},
		{"Seed Box", 2600, "Twelve compartments, one for each month of sowing.", "plants storage"},
		{"Trellis", 4400, "Folds flat in winter, carries sweet peas in June.", "plants"},
		{"Plant Mister", 1500, "A fine fog that ferns are grateful for.", "plants"},
		{"Harvest Basket", 3700, "Rinse the potatoes in it, then carry them in.", "storage"},
		{"Fire Bowl", 9900, "Burns an evening's wood and leaves the lawn alone.", "party outdoor"},
	}},
	{"outdoor", "Outdoor & Travel", "OUT", []Material{
		canvas, steel, leather, recycled, wool, enamel, bamboo, cotton, cork, felt, oak, linen, brass, iron,
	}, []Noun{
		{"Daypack", 8900, "Eighteen litres, a laptop sleeve, and nothing that dangles.", "bags hiking"},
		{"Water Bottle", 2800, "Cold for a day, hot until the summit.", "hiking"},
		{"Picnic Blanket", 5900, "Dry on the underside, soft on yours.", "picnic"},
		{"Camp Mug", 1600, "Clips to the pack, sits on the coals.", "camping cup"},
		{"Dry Bag", 2400, "Ten litres that the river does not get.", "bags water"},
		{"Pocket Knife", 4400, "One good blade, one good lock.", "tools gift"},
		{"Folding Chair", 6400, "Opens in one move, carries 120 kg.", "camping furniture"},
		{"Travel Pouch", 2900, "Three pockets: passports, cables, everything else.", "bags travel"},
		{"Hammock", 7400, "Two trees and you are there.", "camping"},
		{"Lunch Box", 2600, "Two compartments that keep secrets from each other.", "picnic school"},
		{"Duffel Bag", 11900, "A weekend with a pair of boots.", "bags travel"},
		{"Camp Lantern", 5400, "Forty hours on one charge, and a hook to hang it.", "camping light"},
	}},
	{"audio", "Audio", "AUD", []Material{
		walnut, oak, steel, recycled, bamboo, leather, beech, brass, linen, felt, wool, cork, copper, marble,
	}, []Noun{
		{"Bookshelf Speaker", 17900, "Small enough for the shelf, big enough for a cello.", "speaker"},
		{"Headphones", 12900, "Closed backs and soft pads: the train goes silent.", "headphones travel"},
		{"Record Stand", 5400, "Holds fifty records and shows the one that plays.", "vinyl storage"},
		{"Turntable", 24900, "Belt-driven, quiet, with a cartridge worth keeping.", "vinyl"},
		{"Portable Speaker", 8900, "Twelve hours by the lake, and it floats.", "speaker outdoor"},
		{"Headphone Stand", 3400, "Gives the cable a place, too.", "headphones desk"},
		{"Table Radio", 11900, "Two knobs: one for stations, one for loud.", "radio kitchen"},
		{"Phone Amplifier", 2900, "No battery: only a horn, made well.", "desk gift"},
		{"Record Brush", 1900, "Lifts the dust out of the groove in three turns.", "vinyl"},
		{"Speaker Stand", 7900, "Puts the tweeter at the height of your ears.", "speaker furniture"},
		{"Cable Organizer", 1200, "Five cables, five slots, no knot.", "desk office"},
		{"Metronome", 6400, "Wound by hand, steady from 40 to 208.", "music gift"},
	}},
	{"toys", "Toys & Games", "TOY", []Material{
		beech, oak, walnut, cotton, wool, felt, recycled, bamboo, linen, paper, cork, canvas, leather, steel,
	}, []Noun{
		{"Building Blocks", 3900, "Sixty pieces, cut to a tenth of a millimetre: towers stand.", "children building"},
		{"Chess Set", 6900, "Weighted pieces, and a board that closes around them.", "games gift"},
		{"Stacking Rings", 2200, "Seven rings, one right order and many better ones.", "baby"},
		{"Puzzle", 2400, "Five hundred pieces and no two alike.", "games family"},
		{"Toy Train", 4900, "Magnets hold the wagons, imagination lays the track.", "children"},
		{"Plush Bear", 3200, "Passed every test, including the washing machine.", "baby gift"},
		{"Domino Set", 2600, "Twenty-eight stones with dots that fingers can read.", "games family"},
		{"Spinning Top", 1200, "Two minutes on a good table. The record is yours to break.", "children gift"},
		{"Doll House", 12900, "Three floors, a door that locks, lights under the roof.", "children"},
		{"Card Game", 1500, "Learned in two minutes, argued about all evening.", "games family travel"},
		{"Kite", 2900, "Flies in the breeze that others wait for.", "children outdoor"},
		{"Marble Run", 5900, "Eighty parts and gravity.", "children building"},
	}},
	{"bath", "Bath & Body", "BAT", []Material{
		stoneware, bamboo, oak, glass, brass, marble, cotton, linen, steel, porcelain, cork, recycled, beech, walnut,
	}, []Noun{
		{"Soap Dish", 1600, "Drains to the side, so the soap stays hard.", "soap"},
		{"Bath Brush", 1900, "Reaches where you cannot; the head comes off.", "body"},
		{"Toothbrush Holder", 1500, "Four brushes, upright and apart.", "storage"},
		{"Bath Caddy", 4400, "A book, a glass and a candle, above the foam.", "reading gift"},
		{"Lotion Dispenser", 2200, "One push, one hand; refills from any bottle.", "soap"},
		{"Shaving Set", 7900, "Brush, bowl and razor, balanced and made to be kept.", "shaving gift"},
		{"Laundry Hamper", 6900, "Two bags inside: light and dark.", "storage"},
		{"Hand Mirror", 3400, "True on one side, honest on the other.", "body"},
		{"Bath Stool", 5900, "Stands in the wet without a complaint.", "furniture"},
		{"Storage Jar", 1800, "Cotton wool, salts, hair ties: closed and in sight.", "storage"},
		{"Towel Rack", 5400, "Three bars that swing out of the way.", "storage"},
		{"Incense Burner", 2100, "Catches the ash and lets go of the day.", "gift"},
	}},
}
