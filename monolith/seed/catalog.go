package seed

// A Category is a department of the shop with what it sells.
type Category struct {
	Slug, Name, Code string
	Nouns            []Noun
}

// A Material goes into a name and says something in the description.
type Material struct {
	Name, Care, Tag string
	Percent         int64 // of the noun's price
}

// A Noun is a kind of product.
type Noun struct {
	Name      string
	Materials []Material // what it is made of: varieties of them
	Cents     int64      // a usual price
	About     string
	Tags      string // space-separated
}

// varieties is how many materials there are of each noun.
const varieties = 7

// series are lines of products, as makers name them.
var series = [...]string{
	"Harlow", "Fjord", "Linden", "Marlow", "Juniper", "Alder", "Calder", "Wren", "Osten", "Bramble", "Hartwell", "Solace",
	"Aster", "Birch & Co", "Corvin", "Dunmore", "Elmira", "Fenwick", "Gable", "Heron", "Isla", "Kestrel", "Larkin", "Norden",
}

// What things are made of: seven of each, so that no thing is made of the impossible.
var (
	woods = []Material{
		{"Walnut", "Oil it twice a year and the grain only gets deeper.", "wood", 130},
		{"Oak", "Solid oak from managed forests, finished with hard wax.", "wood", 115},
		{"Beech", "Pale beech, sanded smooth and left natural.", "wood", 90},
		{"Ash", "Springy ash with a bold, straight grain.", "wood", 100},
		{"Cherry", "Cherry darkens to a warm red in its first summer.", "wood", 125},
		{"Maple", "Hard, even-grained maple that takes a beating.", "wood", 110},
		{"Bamboo", "Light, quick to dry and renewed within five years.", "bamboo", 80},
	}
	metals = []Material{
		{"Steel", "Brushed stainless steel that does not mind the dishwasher.", "metal", 100},
		{"Brass", "Unlacquered brass that turns warmer with every year.", "metal", 140},
		{"Copper", "Hand-polished copper, sealed against tarnish.", "metal", 150},
		{"Enamel", "Thick enamel on steel that shrugs off knocks and stains.", "enamel", 85},
		{"Aluminium", "Anodised aluminium, a third of the weight of steel.", "metal", 95},
		{"Blackened Steel", "Heat-blackened by hand, so that no two are alike.", "metal", 115},
		{"Recycled Steel", "Made of at least 80% recycled steel.", "recycled", 90},
	}
	pans = []Material{
		{"Cast-Iron", "Seasoned twice before it leaves the foundry.", "metal", 90},
		{"Carbon-Steel", "Light, fast, and more non-stick with every fry-up.", "metal", 85},
		{"Copper", "Hand-hammered copper with a steel lining.", "metal", 170},
		{"Five-Ply", "Five layers of steel and aluminium, right up to the rim.", "metal", 140},
		{"Enamelled Iron", "Enamelled inside and out: no seasoning, no rust.", "enamel", 120},
		{"Ceramic", "A ceramic coating without PFAS, good for a gentle heat.", "ceramic", 95},
		{"Recycled Aluminium", "Cast from recycled aluminium, with a ground base.", "recycled", 80},
	}
	ceramics = []Material{
		{"Stoneware", "Fired at 1,260 °C, so it is safe in oven and microwave.", "ceramic", 95},
		{"Porcelain", "Thin, strong and translucent when held to the light.", "ceramic", 110},
		{"Terracotta", "Unglazed outside, glazed within.", "ceramic", 75},
		{"Speckled Clay", "The iron in the clay makes the freckles.", "ceramic", 100},
		{"Raku", "Pulled glowing from the kiln; the crackle is its own.", "ceramic", 130},
		{"Celadon", "A pale green glaze, a thousand years old in recipe.", "ceramic", 120},
		{"Earthenware", "Thrown by hand in small batches.", "ceramic", 85},
	}
	stones = []Material{
		{"Marble", "Cut from one block, so no two are the same.", "stone", 130},
		{"Granite", "Hard enough for anything that grows on a tree.", "stone", 110},
		{"Slate", "Split, not sawn: the surface is as it grew.", "stone", 90},
		{"Basalt", "Dark, dense and a little porous.", "stone", 105},
		{"Soapstone", "Silky, and heavier than it looks.", "stone", 100},
		{"Travertine", "The pores are its charm.", "stone", 120},
		{"Terrazzo", "Stone chips from the mason's offcuts.", "recycled", 95},
	}
	lamps = []Material{
		{"Opal Glass", "Opal glass spreads the light without a hot spot.", "glass", 110},
		{"Smoked Glass", "Grey by day, amber by night.", "glass", 115},
		{"Ribbed Glass", "Pressed ribs that play with the light.", "glass", 105},
		{"Recycled Glass", "A few bubbles tell where it has been before.", "recycled", 90},
		{"Clear Glass", "Mouth-blown and perfectly clear.", "glass", 95},
		{"Amber Glass", "Coloured in the mass, so it never fades.", "glass", 110},
		{"Seeded Glass", "Full of tiny bubbles, as window panes used to be.", "glass", 120},
	}
	shades = []Material{
		{"Linen", "Natural linen that warms the light.", "linen", 110},
		{"Rattan", "Woven by hand, light enough to move with one finger.", "rattan", 105},
		{"Rice-Paper", "Rice paper on a bamboo frame; folds flat.", "paper", 70},
		{"Cotton", "Pleated cotton with a hidden seam.", "cotton", 90},
		{"Bamboo", "Thin bamboo slats that throw stripes on the wall.", "bamboo", 95},
		{"Silk", "Raw silk with a quiet shine.", "silk", 150},
		{"Felt", "Felted wool, which swallows the echo of a room too.", "wool", 100},
	}
	wools = []Material{
		{"Lambswool", "Undyed wool from small flocks; air it and it stays fresh.", "wool", 110},
		{"Merino", "Superfine merino that never itches.", "wool", 130},
		{"Alpaca", "Warm as wool at half the weight.", "wool", 150},
		{"Mohair", "A brushed surface full of air.", "wool", 145},
		{"Boiled Wool", "Dense enough to keep out the wind.", "wool", 115},
		{"Recycled Wool", "Spun from sorted knitwear; the colours need no dye.", "recycled", 85},
		{"Cotton", "Organic cotton, woven tight to last.", "cotton", 80},
	}
	cloths = []Material{
		{"Linen", "European flax, stone-washed until it is soft.", "linen", 120},
		{"Cotton", "Organic cotton, woven tight to last.", "cotton", 85},
		{"Hemp", "Tough fibres that get softer with each wash.", "hemp", 105},
		{"Velvet", "Short pile with a quiet shine.", "velvet", 125},
		{"Chambray", "Two shades in one weave.", "cotton", 95},
		{"Gauze", "Two layers of crinkled gauze; never ironed.", "cotton", 90},
		{"Percale", "Crisp, cool and smooth as a fresh page.", "cotton", 110},
	}
	towels = []Material{
		{"Waffle", "Waffle-woven cotton that dries you and then itself.", "cotton", 90},
		{"Terry", "Long loops of combed cotton.", "cotton", 100},
		{"Linen", "Linen dries faster than it gets wet.", "linen", 130},
		{"Bamboo", "Half bamboo, half cotton: heavy and silky.", "bamboo", 110},
		{"Turkish Cotton", "Flat-woven on old looms, with knotted ends.", "cotton", 105},
		{"Honeycomb", "Deep cells that hold more than they weigh.", "cotton", 95},
		{"Recycled Cotton", "Spun from the offcuts of other towels.", "recycled", 80},
	}
	bagCloths = []Material{
		{"Canvas", "Heavy canvas, bar-tacked wherever it is pulled.", "canvas", 95},
		{"Waxed Cotton", "Keeps out an honest shower; re-wax it once a year.", "canvas", 115},
		{"Leather", "Vegetable-tanned leather; every scratch becomes part of it.", "leather", 170},
		{"Ripstop", "A grid in the weave stops every tear.", "nylon", 90},
		{"Denim", "Raw selvedge denim that fades with use.", "cotton", 100},
		{"Recycled Sail", "Cut from sails that have seen the sea.", "recycled", 105},
		{"Cork", "Cork fabric: light, warm, and it wipes clean.", "cork", 110},
	}
	covers = []Material{
		{"Linen", "Bound in book linen, with thread-sewn sheets.", "linen", 105},
		{"Leather", "Vegetable-tanned leather; every scratch becomes part of it.", "leather", 160},
		{"Cork", "Harvested without felling a single tree.", "cork", 90},
		{"Cotton-Paper", "Mould-made paper with a deckled edge.", "paper", 95},
		{"Felt", "Pressed merino felt, three millimetres thick.", "wool", 100},
		{"Kraft", "Plain brown kraft that asks for a stamp or a sticker.", "paper", 70},
		{"Recycled", "Made of at least 80% recycled material.", "recycled", 80},
	}
	baskets = []Material{
		{"Rattan", "Woven by hand, light enough to move with one finger.", "rattan", 110},
		{"Willow", "Whole willow rods, soaked and woven in one go.", "willow", 100},
		{"Seagrass", "Smells faintly of hay; likes the damp.", "seagrass", 90},
		{"Jute", "Thick jute rope, stitched in a spiral.", "jute", 80},
		{"Wire", "Galvanised wire that can be hosed down.", "metal", 85},
		{"Bamboo", "Light, quick to dry and renewed within five years.", "bamboo", 95},
		{"Canvas", "Heavy canvas over a folding frame.", "canvas", 105},
	}
	kites = []Material{
		{"Ripstop", "A grid in the weave stops every tear.", "nylon", 100},
		{"Silk", "Hand-painted silk on split bamboo.", "silk", 170},
		{"Paper", "Strong mulberry paper, for light winds.", "paper", 60},
		{"Recycled Sail", "Cut from sails that have seen the sea.", "recycled", 110},
		{"Cotton", "Waxed cotton, as kites were a hundred years ago.", "cotton", 90},
		{"Mylar", "Glitters up there, and weighs next to nothing.", "film", 80},
		{"Parachute", "Surplus parachute cloth; no two have the same colours.", "recycled", 95},
	}
)

// Categories are the departments of the shop. The storefront has a drawing of each.
var Categories = []Category{
	{"kitchen", "Kitchen", "KIT", []Noun{
		{"Chopping Board", woods, 3900, "A board with a groove for juices and a weight that keeps it in place.", "cooking board"},
		{"Frying Pan", pans, 5900, "Sears a steak and slides out an omelette, on gas and induction.", "cooking pan"},
		{"Mixing Bowl", ceramics, 2400, "Deep enough to whisk cream without painting the wall.", "baking bowl"},
		{"Pepper Mill", woods, 3200, "A ceramic grinder, set from dust to cracked with half a turn.", "spices table"},
		{"Saucepan", pans, 6400, "A lip on both sides pours cleanly, whichever hand you use.", "cooking pan"},
		{"Rolling Pin", woods, 2100, "Tapered at the ends, for pastry that is thin in the middle too.", "baking"},
		{"Salad Servers", woods, 1900, "A pair that reaches the bottom of the largest bowl.", "table"},
		{"Spice Rack", woods, 4500, "Twelve jars in reach of the stove, labels included.", "spices storage"},
		{"Mortar and Pestle", stones, 3600, "Rough inside and heavy at the foot, for pesto in five minutes.", "spices cooking"},
		{"Bread Bin", metals, 5200, "Keeps a loaf for four days: the lid lets it breathe.", "baking storage"},
		{"Serving Tray", woods, 3400, "High handles and a rim, for breakfast where you want it.", "table gift"},
		{"Measuring Cups", metals, 1800, "Six cups from a spoonful to a pint, nested in one.", "baking"},
	}},
	{"coffee-tea", "Coffee & Tea", "COF", []Noun{
		{"Pour-Over Dripper", ceramics, 2700, "Ribs that guide the water and a hole that sets the pace.", "coffee brewing"},
		{"Teapot", ceramics, 4800, "Pours without a drip, down to the last cup.", "tea brewing"},
		{"Espresso Cup", ceramics, 1400, "A thick wall keeps two sips hot until the second.", "coffee cup"},
		{"Moka Pot", metals, 3900, "Three minutes to a strong cup, on any stove.", "coffee brewing"},
		{"Tea Caddy", metals, 2200, "An inner lid keeps 150 g of leaves as fresh as they came.", "tea storage"},
		{"Coffee Grinder", woods, 7900, "Forty settings and a crank that turns as if on ice.", "coffee brewing"},
		{"Mug", ceramics, 1600, "Twelve ounces, and a handle for four fingers.", "coffee tea cup gift"},
		{"French Press", metals, 4200, "A double screen leaves the grounds where they belong.", "coffee brewing"},
		{"Tea Strainer", metals, 1200, "Fine as a sieve should be, with a rest for the drips.", "tea"},
		{"Gooseneck Kettle", metals, 6900, "A thin, steady stream that goes where you point it.", "coffee tea brewing"},
		{"Milk Jug", ceramics, 1900, "A sharp spout for latte art, or just for milk.", "coffee"},
		{"Coffee Scoop", metals, 900, "Ten grams, level. Clips the bag shut afterwards.", "coffee gift"},
	}},
	{"lighting", "Lighting", "LIG", []Noun{
		{"Pendant Lamp", lamps, 12900, "Hangs low over a table and keeps the glare out of your eyes.", "ceiling"},
		{"Desk Lamp", metals, 8900, "Two joints and a heavy foot: it stays where you leave it.", "desk office"},
		{"Floor Lamp", woods, 15900, "Light to read by, from behind your favourite chair.", "reading"},
		{"Table Lantern", lamps, 4900, "For a candle or a light string, in and out of doors.", "candle garden"},
		{"Wall Sconce", metals, 7400, "Washes the wall with light, upwards and down.", "wall"},
		{"Candle Holder", ceramics, 1900, "Takes tea lights on one side and dinner candles on the other.", "candle gift"},
		{"Reading Light", metals, 3900, "Clips to the shelf, dims to a glow, charges by USB.", "reading"},
		{"Night Light", lamps, 2400, "Knows when it is dark and when to leave you alone.", "children"},
		{"Lamp Shade", shades, 3400, "Fits common sockets; the light comes through warm.", "shade"},
		{"Ceiling Spot", metals, 5400, "Turns and tilts to put the picture in the best light.", "ceiling"},
		{"Light String", shades, 2900, "Ten metres with fifty lights, and a timer.", "garden party"},
		{"Bedside Lamp", woods, 6400, "One touch for late pages, a second for the way to the door.", "bedroom reading"},
	}},
	{"textiles", "Home Textiles", "TEX", []Noun{
		{"Throw Blanket", wools, 7900, "Big enough for two on one sofa.", "bedroom sofa gift"},
		{"Cushion Cover", cloths, 2400, "A hidden zip and a hem that keeps its corners.", "sofa"},
		{"Bath Towel", towels, 2900, "Drinks up the water and gives it back to the line.", "bath"},
		{"Table Runner", cloths, 3200, "Frames dinner for eight without hiding the table.", "table"},
		{"Duvet Cover", cloths, 9900, "Corner ties inside: the duvet stays where it should.", "bedroom"},
		{"Tea Towel", towels, 1300, "Dries glasses without a fluff.", "kitchen gift"},
		{"Napkin Set", cloths, 2600, "Four, with mitred corners, and nicer after each wash.", "table"},
		{"Pillowcase", cloths, 1900, "An envelope closing: no buttons in your ear.", "bedroom"},
		{"Curtain Panel", cloths, 6900, "Filters the noon and lets the evening through.", "window"},
		{"Bath Mat", towels, 2700, "Heavy, absorbent, and it does not walk.", "bath"},
		{"Apron", bagCloths, 3600, "Cross-back straps and a pocket for the towel.", "kitchen cooking gift"},
		{"Floor Cushion", cloths, 8400, "A seat for whoever comes fifth.", "sofa children"},
	}},
	{"stationery", "Stationery", "STA", []Noun{
		{"Notebook", covers, 1600, "Lies flat, takes fountain-pen ink, has numbered pages.", "writing gift"},
		{"Fountain Pen", metals, 4900, "A steel nib that starts at once, even after a holiday.", "writing gift"},
		{"Pencil Case", bagCloths, 2200, "Stands open on the desk, rolls up in the bag.", "writing school"},
		{"Desk Organizer", woods, 3900, "Everything you look for twice a day, in one place.", "desk office"},
		{"Letter Opener", metals, 1800, "Balanced, blunt to fingers, sharp to paper.", "desk office"},
		{"Sketchbook", covers, 2100, "Heavy sheets for ink and a little watercolour.", "drawing"},
		{"Bookmark Set", covers, 900, "Three, so that three books can be begun.", "reading gift"},
		{"Ruler", woods, 1100, "Engraved on both edges: centimetres and inches.", "desk school"},
		{"Card Holder", covers, 2600, "Six cards and a folded note, flat in the pocket.", "gift"},
		{"Weekly Planner", covers, 1900, "Undated: begin whenever you are ready.", "writing office"},
		{"Ink Bottle", lamps, 1400, "Fifty millilitres that dry before your hand arrives.", "writing"},
		{"Paperweight", stones, 2400, "Keeps the window open and the papers down.", "desk gift"},
	}},
	{"garden", "Garden", "GAR", []Noun{
		{"Plant Pot", ceramics, 1900, "With a saucer and a hole in the right place.", "plants"},
		{"Watering Can", metals, 3400, "A long spout that reaches the back row.", "plants tools"},
		{"Hand Trowel", metals, 1700, "Depth marks up to fifteen centimetres; a loop to hang it by.", "tools"},
		{"Pruning Shears", metals, 3900, "Cuts green wood as thick as a thumb, cleanly.", "tools"},
		{"Bird Feeder", woods, 2800, "Three perches, and a baffle that squirrels respect.", "birds gift"},
		{"Herb Planter", ceramics, 3200, "Room for basil, thyme and one that you cannot name.", "plants herbs"},
		{"Garden Stool", woods, 6900, "A seat, a side table, a stand for the big pot.", "furniture"},
		{"Seed Box", woods, 2600, "Twelve compartments, one for each month of sowing.", "plants storage"},
		{"Trellis", woods, 4400, "Folds flat in winter, carries sweet peas in June.", "plants"},
		{"Plant Mister", metals, 1500, "A fine fog that ferns are grateful for.", "plants"},
		{"Harvest Basket", baskets, 3700, "Rinse the potatoes in it, then carry them in.", "storage"},
		{"Fire Bowl", metals, 9900, "Burns an evening's wood and leaves the lawn alone.", "party outdoor"},
	}},
	{"outdoor", "Outdoor & Travel", "OUT", []Noun{
		{"Daypack", bagCloths, 8900, "Eighteen litres, a laptop sleeve, and nothing that dangles.", "bags hiking"},
		{"Water Bottle", metals, 2800, "Cold for a day, hot until the summit.", "hiking"},
		{"Picnic Blanket", wools, 5900, "Dry on the underside, soft on yours.", "picnic"},
		{"Camp Mug", metals, 1600, "Clips to the pack, sits on the coals.", "camping cup"},
		{"Dry Bag", bagCloths, 2400, "Ten litres that the river does not get.", "bags water"},
		{"Pocket Knife", woods, 4400, "One good blade, one good lock.", "tools gift"},
		{"Folding Chair", woods, 6400, "Opens in one move, carries 120 kg.", "camping furniture"},
		{"Travel Pouch", bagCloths, 2900, "Three pockets: passports, cables, everything else.", "bags travel"},
		{"Hammock", cloths, 7400, "Two trees and you are there.", "camping"},
		{"Lunch Box", metals, 2600, "Two compartments that keep secrets from each other.", "picnic school"},
		{"Duffel Bag", bagCloths, 11900, "A weekend with a pair of boots.", "bags travel"},
		{"Camp Lantern", metals, 5400, "Forty hours on one charge, and a hook to hang it.", "camping light"},
	}},
	{"audio", "Audio", "AUD", []Noun{
		{"Bookshelf Speaker", woods, 17900, "Small enough for the shelf, big enough for a cello.", "speaker"},
		{"Headphones", woods, 12900, "Closed backs and soft pads: the train goes silent.", "headphones travel"},
		{"Record Stand", woods, 5400, "Holds fifty records and shows the one that plays.", "vinyl storage"},
		{"Turntable", woods, 24900, "Belt-driven, quiet, with a cartridge worth keeping.", "vinyl"},
		{"Portable Speaker", bagCloths, 8900, "Twelve hours by the lake, and it floats.", "speaker outdoor"},
		{"Headphone Stand", woods, 3400, "Gives the cable a place, too.", "headphones desk"},
		{"Table Radio", woods, 11900, "Two knobs: one for stations, one for loud.", "radio kitchen"},
		{"Phone Amplifier", woods, 2900, "No battery: only a horn, made well.", "desk gift"},
		{"Record Brush", woods, 1900, "Lifts the dust out of the groove in three turns.", "vinyl"},
		{"Speaker Stand", woods, 7900, "Puts the tweeter at the height of your ears.", "speaker furniture"},
		{"Cable Organizer", covers, 1200, "Five cables, five slots, no knot.", "desk office"},
		{"Metronome", woods, 6400, "Wound by hand, steady from 40 to 208.", "music gift"},
	}},
	{"toys", "Toys & Games", "TOY", []Noun{
		{"Building Blocks", woods, 3900, "Sixty pieces, cut to a tenth of a millimetre: towers stand.", "children building"},
		{"Chess Set", woods, 6900, "Weighted pieces, and a board that closes around them.", "games gift"},
		{"Stacking Rings", woods, 2200, "Seven rings, one right order and many better ones.", "baby"},
		{"Puzzle", woods, 2400, "Five hundred pieces and no two alike.", "games family"},
		{"Toy Train", woods, 4900, "Magnets hold the wagons, imagination lays the track.", "children"},
		{"Plush Bear", wools, 3200, "Passed every test, including the washing machine.", "baby gift"},
		{"Domino Set", woods, 2600, "Twenty-eight stones with dots that fingers can read.", "games family"},
		{"Spinning Top", woods, 1200, "Two minutes on a good table. The record is yours to break.", "children gift"},
		{"Doll House", woods, 12900, "Three floors, a door that locks, lights under the roof.", "children"},
		{"Card Game", covers, 1500, "Learned in two minutes, argued about all evening.", "games family travel"},
		{"Kite", kites, 2900, "Flies in the breeze that others wait for.", "children outdoor"},
		{"Marble Run", woods, 5900, "Eighty parts and gravity.", "children building"},
	}},
	{"bath", "Bath & Body", "BAT", []Noun{
		{"Soap Dish", ceramics, 1600, "Drains to the side, so the soap stays hard.", "soap"},
		{"Bath Brush", woods, 1900, "Reaches where you cannot; the head comes off.", "body"},
		{"Toothbrush Holder", ceramics, 1500, "Four brushes, upright and apart.", "storage"},
		{"Bath Caddy", woods, 4400, "A book, a glass and a candle, above the foam.", "reading gift"},
		{"Lotion Dispenser", ceramics, 2200, "One push, one hand; refills from any bottle.", "soap"},
		{"Shaving Set", woods, 7900, "Brush, bowl and razor, balanced and made to be kept.", "shaving gift"},
		{"Laundry Hamper", baskets, 6900, "Two bags inside: light and dark.", "storage"},
		{"Hand Mirror", woods, 3400, "True on one side, honest on the other.", "body"},
		{"Bath Stool", woods, 5900, "Stands in the wet without a complaint.", "furniture"},
		{"Storage Jar", ceramics, 1800, "Cotton wool, salts, hair ties: closed and in sight.", "storage"},
		{"Towel Rack", metals, 5400, "Three bars that swing out of the way.", "storage"},
		{"Incense Burner", ceramics, 2100, "Catches the ash and lets go of the day.", "gift"},
	}},
}
