//! The words that titles are put together from.

pub(super) const ADJECTIVES: &[&str] = &[
    "Amber", "Bitter", "Black", "Blue", "Borrowed", "Bright", "Broken", "Burning", "Cheap", "Cold",
    "Common", "Counterfeit", "Crooked", "Distant", "Double", "Electric", "Empty", "Endless",
    "Faded", "False", "Familiar", "Fearless", "Foreign", "Fragile", "Gentle", "Golden", "Half",
    "Heavy", "Hidden", "Hollow", "Honest", "Idle", "Invisible", "Late", "Little", "Lonely", "Long",
    "Magnetic", "Midnight", "Modern", "Narrow", "Northern", "Open", "Ordinary", "Pale", "Paper",
    "Perfect", "Plastic", "Quiet", "Restless", "Second", "Secret", "Silver", "Simple", "Slow",
    "Small", "Soft", "Strange", "Sudden", "Tender", "Unfinished", "Velvet", "Violet", "Wild",
];

pub(super) const NOUNS: &[&str] = &[
    "Accident", "Alibi", "Anchor", "Answer", "Arcade", "Atlas", "Avalanche", "Balcony", "Bridge",
    "Cathedral", "Ceiling", "Chapter", "Circle", "Compass", "Confession", "Country", "Daughter",
    "Daydream", "Distance", "Doorway", "Echo", "Engine", "Fever", "Fire", "Forest", "Garden",
    "Ghost", "Gravity", "Habit", "Harbour", "Heart", "Holiday", "Horizon", "House", "Island",
    "Kingdom", "Language", "Lantern", "Machine", "Map", "Memory", "Mirror", "Moon", "Motel",
    "Ocean", "Orchard", "Parade", "Photograph", "Promise", "Rain", "River", "Room", "Satellite",
    "Season", "Shadow", "Signal", "Silence", "Sister", "Skyline", "Stranger", "Summer", "Telephone",
    "Thunder", "Tide", "Valley", "Weather", "Window", "Winter",
];

pub(super) const PLURALS: &[&str] = &[
    "Airports", "Animals", "Apologies", "Birthdays", "Bones", "Butterflies", "Cigarettes", "Cities",
    "Clouds", "Colours", "Diamonds", "Dreams", "Embers", "Excuses", "Feathers", "Flowers",
    "Friends", "Ghosts", "Giants", "Headlights", "Heroes", "Horses", "Hours", "Letters", "Lies",
    "Lovers", "Matches", "Miracles", "Mountains", "Names", "Oranges", "Postcards", "Questions",
    "Roses", "Rumours", "Sailors", "Saints", "Satellites", "Secrets", "Shadows", "Stars",
    "Strangers", "Sundays", "Teeth", "Thieves", "Wires", "Wolves", "Wonders",
];

pub(super) const DOING: &[&str] = &[
    "Breathing", "Burning", "Chasing Light", "Counting Trains", "Crying", "Dancing", "Disappearing",
    "Dreaming", "Driving", "Falling", "Floating", "Hiding", "Holding On", "Leaving", "Losing Time",
    "Running", "Sleeping", "Swimming", "Talking", "Waiting", "Waking Up", "Walking",
];

pub(super) const WHERE: &[&str] = &[
    "Across the Water", "After Dark", "Against the Wind", "All Night", "Alone", "Before the Flood",
    "Below Zero", "Between the Lines", "by the River", "for the Weekend", "in Colour",
    "in Slow Motion", "in the Kitchen", "in the Rain", "into the Blue", "on the Roof",
    "on the Radio", "out of Reach", "Past Midnight", "Through the Wall", "to the Coast",
    "Under Neon", "Until Tomorrow", "Without You",
];

pub(super) const COMMANDS: &[&str] = &[
    "Bring It Home", "Call Me Back", "Carry Me", "Come Around", "Don't Look Down", "Don't Wait Up",
    "Find Me", "Forget It", "Give It Time", "Hold the Line", "Keep Me", "Leave Me Here",
    "Let It Rain", "Light It Up", "Meet Me", "Say It", "Sing Me Out", "Stay", "Take It Slow",
    "Tell Me Again", "Turn It Over", "Write Me",
];

pub(super) const PLACES: &[&str] = &[
    "Abidjan", "Antwerp", "Arizona", "Athens", "Bergen", "Brooklyn", "Buenos Aires", "Cairo",
    "Detroit", "Dublin", "Glasgow", "Hanoi", "Havana", "Helsinki", "Istanbul", "Kyiv", "Lagos",
    "Lisbon", "Manila", "Marseille", "Memphis", "Mexico City", "Montreal", "Naples", "Nebraska",
    "Osaka", "Ostend", "Reykjavik", "Rotterdam", "Santiago", "Seoul", "Tallinn", "Tangier",
    "Trieste", "Valparaíso", "Vienna",
];

pub(super) const TIMES: &[&str] = &[
    "4 a.m.", "Closing Time", "Dawn", "Dusk", "Five to Nine", "Half Past Two", "High Tide",
    "Low Tide", "Midnight", "New Year's", "Noon", "Sundown",
];

pub(super) const COSAS: &[&str] = &[
    "La luna", "El mar", "La ciudad", "El silencio", "La lluvia", "El verano", "La noche",
    "El camino", "La memoria", "El viento", "La frontera", "El corazón", "La mañana", "El invierno",
    "La mentira", "El jardín", "La canción", "El espejo", "La ventana", "El fuego", "La calle",
    "El último tren", "La otra orilla", "El año nuevo", "La sombra", "El niño", "La señal",
    "El cielo",
];

pub(super) const ANTE_COSA: &[&str] = &[
    "Ante", "Bajo", "Contra", "Hacia", "Hasta", "Mientras dure", "Para", "Sin", "Sobre", "Tras",
];

pub(super) const HACE: &[&str] = &[
    "baila", "calla", "canta", "cae", "duerme", "espera", "llora", "no vuelve", "quema", "sueña",
    "tiembla", "vuelve",
];

pub(super) const COISAS: &[&str] = &[
    "A lua", "O mar", "A cidade", "O silêncio", "A chuva", "O verão", "A noite", "O caminho",
    "A saudade", "O vento", "A manhã", "O coração", "A ilha", "O inverno", "A mentira", "O jardim",
    "A canção", "O espelho", "A janela", "O fogo", "A rua", "O trem", "A onda", "O avião",
    "A estação", "O sertão",
];

pub(super) const ANTES_DE_COISA: &[&str] = &[
    "Até", "Contra", "Com", "Sem", "Sob", "Sobre", "Para", "Entre o nada e",
];

pub(super) const FAZ: &[&str] = &[
    "cai", "canta", "chama", "chora", "dança", "dorme", "espera", "não volta", "queima", "sonha",
    "voa", "volta",
];

pub(super) const CHOSES: &[&str] = &[
    "La lune", "Le vent", "La ville", "Le silence", "La pluie", "L'été", "La nuit", "Le chemin",
    "La mémoire", "L'océan", "La frontière", "Le cœur", "L'aube", "L'hiver", "La fièvre",
    "Le jardin", "La chanson", "Le miroir", "La fenêtre", "Le feu", "La forêt", "Le dernier métro",
    "L'autre rive", "La lumière", "L'étoile", "Le château",
];

pub(super) const AVANT_CHOSE: &[&str] = &[
    "Après", "Avant", "Avec", "Contre", "Dans", "Depuis", "Devant", "Pour", "Sans", "Sous", "Vers",
];

pub(super) const FAIT: &[&str] = &[
    "attend", "brûle", "chante", "danse", "dort", "m'appelle", "ne dit rien", "pleure", "rêve",
    "s'en va", "s'éteint", "tremble",
];

pub(super) const DINGE: &[&str] = &[
    "Der Mond", "Das Meer", "Die Stadt", "Die Stille", "Der Regen", "Der Sommer", "Die Nacht",
    "Der Weg", "Die Erinnerung", "Der Wind", "Die Grenze", "Das Herz", "Der Morgen", "Der Winter",
    "Die Lüge", "Der Garten", "Das Lied", "Der Spiegel", "Das Fenster", "Das Feuer", "Die Straße",
    "Der letzte Zug", "Das Glück", "Der Schatten",
];

pub(super) const TUT: &[&str] = &[
    "brennt", "fällt", "hört zu", "ruft", "schläft", "schweigt", "singt", "tanzt", "träumt",
    "verschwindet", "wartet", "weiß es",
];

pub(super) const VORN: &[&str] = &[
    "Abend", "Feuer", "Glas", "Herbst", "Himmel", "Mitter", "Mond", "Morgen", "Nacht", "Nebel",
    "Nord", "Regen", "Schnee", "See", "Silber", "Sommer", "Stern", "Süd", "Wald", "Winter",
];

pub(super) const HINTEN: &[&str] = &[
    "fahrt", "flug", "garten", "gold", "haus", "herz", "kind", "land", "licht", "lied", "meer",
    "reise", "spiel", "stadt", "tanz", "traum", "vögel", "weg",
];

pub(super) const VESHCHI: &[&str] = &[
    "Луна", "Море", "Город", "Тишина", "Дождь", "Лето", "Ночь", "Дорога", "Память", "Ветер",
    "Граница", "Сердце", "Утро", "Зима", "Обман", "Сад", "Песня", "Зеркало", "Окно", "Огонь",
    "Улица", "Последний поезд", "Снег", "Тень", "Звезда", "Берег",
];

pub(super) const DELAET: &[&str] = &[
    "горит", "ждёт", "зовёт", "молчит", "не спит", "падает", "поёт", "смотрит вниз", "спит",
    "танцует", "тает", "уходит",
];

pub(super) const MONO: &[&str] = &[
    "夜", "海", "街", "雨", "夏", "冬", "月", "風", "花火", "記憶", "朝", "心", "嘘", "庭", "歌", "鏡", "窓", "火", "道",
    "電車", "影", "星", "手紙", "約束", "桜", "ラジオ", "ガラス", "メロディ",
];

pub(super) const DONNA: &[&str] = &[
    "青い", "遠い", "静かな", "白い", "最後の", "小さな", "長い", "透明な", "眠れない", "忘れた", "優しい", "夢見る",
];

pub(super) const ASHYA: &[&str] = &[
    "ليل", "بحر", "صمت", "مطر", "صيف", "طريق", "ذكرى", "ريح", "قلب", "صباح", "شتاء", "حديقة",
    "أغنية", "مرآة", "نافذة", "نار", "شارع", "ظل", "نجمة", "رسالة", "وعد", "حنين", "نور", "سماء",
];

pub(super) const MUDUN: &[&str] = &[
    "بيروت", "القاهرة", "تونس", "الدار البيضاء", "عمّان", "بغداد", "دمشق", "الإسكندرية", "الجزائر",
    "مسقط",
];
