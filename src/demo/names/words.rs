//! The parts that artists' names are put together from.

pub(super) const EPITHETS: &[&str] = &[
    "Absent", "Accidental", "Alpine", "Anxious", "Arctic", "Artificial", "Astral", "Autumn",
    "Careful", "Celestial", "Chrome", "Civil", "Clockwork", "Concrete", "Copper", "Coral",
    "Crimson", "Desert", "Drowsy", "Eastern", "Elegant", "Emerald", "Feral", "Flightless",
    "Forgotten", "Granite", "Haunted", "Humble", "Imaginary", "Indigo", "Ivory", "Loyal", "Lunar",
    "Marble", "Nervous", "Neon", "Obedient", "Painted", "Patient", "Polite", "Porcelain",
    "Reluctant", "Sleepless", "Solar", "Stubborn", "Tidal", "Timid", "Wandering",
];

pub(super) const CREATURES: &[&str] = &[
    "Aunts", "Bakers", "Bandits", "Beekeepers", "Bishops", "Boxers", "Cartographers", "Cousins",
    "Crows", "Cyclists", "Divers", "Electricians", "Falcons", "Farmhands", "Finches", "Foxes",
    "Gardeners", "Geese", "Hares", "Herons", "Janitors", "Jurors", "Kites", "Lighthouses",
    "Lobsters", "Magpies", "Mechanics", "Moths", "Neighbours", "Nomads", "Orphans", "Otters",
    "Owls", "Parrots", "Pilots", "Pines", "Postmen", "Rivals", "Sparrows", "Surgeons", "Swans",
    "Tailors", "Tigers", "Tourists", "Trams", "Twins", "Ushers", "Wasps",
];

pub(super) const THINGS: &[&str] = &[
    "Aerial", "Almanac", "Arsenal", "Bazaar", "Boulevard", "Carousel", "Chapel", "Choir", "Comet",
    "Cinema", "Delta", "Department", "District", "Embassy", "Estate", "Exit", "Formula",
    "Furniture", "Gallery", "Harvest", "Hotel", "Index", "Institute", "Jubilee", "Laundry",
    "Legend", "Lever", "Library", "Market", "Meridian", "Method", "Museum", "Navy", "Office",
    "Opera", "Palace", "Pavilion", "Picnic", "Planet", "Pony", "Prism", "Quarter", "Railway",
    "Republic", "Sugar", "Theory", "Theatre", "Union",
];

pub(super) const COINED_START: &[&str] = &[
    "Al", "Bel", "Bra", "Cal", "Dra", "El", "Fen", "Gal", "Hal", "Il", "Jun", "Kal", "Ky", "Lor",
    "Ma", "Mer", "Na", "Ny", "Or", "Pel", "Qui", "Ro", "Sa", "Sol", "Tal", "Ul", "Va", "Wil", "Xa",
    "Yl", "Za", "Zel",
];

pub(super) const COINED_MIDDLE: &[&str] = &[
    "ba", "ca", "di", "do", "fi", "ga", "la", "le", "ma", "mi", "no", "ra", "ri", "sta", "ve", "vo",
];

pub(super) const COINED_END: &[&str] = &[
    "bel", "cora", "dane", "dris", "fane", "ka", "len", "lux", "mo", "nar", "nova", "quin", "ren",
    "ssa", "tek", "vyn",
];

pub(super) const TOWNS: &[&str] = &[
    "Ghent", "Bristol", "Córdoba", "Dakar", "Dresden", "Galway", "Halifax", "Izmir", "Kraków",
    "Leeds", "Lyon", "Malmö", "Nairobi", "Odense", "Oslo", "Porto", "Riga", "Salzburg", "Split",
    "Tartu", "Turin", "Utrecht", "Winnipeg", "Zürich",
];

pub(super) const ENSEMBLES: &[&str] = &[
    "Brass Band", "Chamber Players", "Collective", "Community Choir", "Ensemble", "Orchestra",
    "Quartet", "Quintet", "Session", "String Band", "Trio", "Youth Orchestra",
];

pub(super) const ENGLISH_FIRST: &[&str] = &[
    "Ada", "Alma", "Archie", "Ava", "Bea", "Billy", "Cass", "Cleo", "Dora", "Edie", "Ellis", "Esme",
    "Ezra", "Faye", "Flora", "Frankie", "Gus", "Hattie", "Iris", "Ivy", "Jack", "June", "Kit",
    "Lenny", "Lola", "Mabel", "Marlon", "Maude", "Milo", "Nell", "Otis", "Pearl", "Quincy",
    "Reggie", "Rosa", "Roy", "Sadie", "Silas", "Stella", "Tess", "Theo", "Tilly", "Vera", "Wes",
    "Willa", "Winston", "Zadie", "Zeke",
];

pub(super) const ENGLISH_LAST: &[&str] = &[
    "Abbott", "Ashdown", "Barlow", "Beckford", "Blythe", "Callahan", "Carver", "Chambers", "Crane",
    "Dalton", "Drummond", "Eastwick", "Ellery", "Fairweather", "Finch", "Fontaine", "Grady", "Hale",
    "Harlow", "Hollis", "Ingram", "Jarvis", "Kincaid", "Lockhart", "Marsh", "McCabe", "Merritt",
    "Nightingale", "O'Dowd", "Okafor-Reed", "Pemberton", "Pike", "Quinn", "Rawlins", "Sinclair",
    "Stone", "Thackeray", "Thorne", "Vale", "Vance", "Wainwright", "Waverly", "Whitlock", "Wilder",
    "Winslow", "Wray", "Yates", "York",
];

pub(super) const WEST_AFRICAN_FIRST: &[&str] = &[
    "Abena", "Adé", "Aminata", "Ayo", "Babá", "Chidi", "Efua", "Fatou", "Femi", "Ifeoma", "Kofi",
    "Kwame", "Mariam", "Ngozi", "Ọlá", "Ousmane", "Sekou", "Tunde", "Yaa", "Zainab",
];

pub(super) const WEST_AFRICAN_LAST: &[&str] = &[
    "Adébáyọ̀", "Asante", "Bangoura", "Boateng", "Coulibaly", "Diabaté", "Diallo", "Eze", "Keïta",
    "Mensah", "N'Diaye", "Nwosu", "Okoye", "Olúwọlé", "Owusu", "Sarr", "Sissoko", "Touré", "Traoré",
    "Yeboah",
];

pub(super) const NORDIC_FIRST: &[&str] = &[
    "Åsa", "Astrid", "Björn", "Bjørg", "Eirik", "Elín", "Freyja", "Guðrún", "Håkon", "Ingrid",
    "Jökull", "Kåre", "Lærke", "Linnéa", "Maja", "Nanna", "Øystein", "Ragnar", "Signe", "Sigurður",
    "Søren", "Tuva", "Þóra", "Ylva",
];

pub(super) const NORDIC_LAST: &[&str] = &[
    "Ahlgren", "Bergström", "Bjørnstad", "Dahl", "Ekström", "Fjeld", "Grønning", "Hallgrímsdóttir",
    "Håland", "Høst", "Jónsson", "Kjær", "Lindqvist", "Lövgren", "Møller", "Nygård", "Öberg",
    "Rasmussen", "Sjöberg", "Skov", "Strand", "Sæther", "Thorsen", "Vinter",
];

pub(super) const POLISH_FIRST: &[&str] = &[
    "Agnieszka", "Bartłomiej", "Bożena", "Cezary", "Dobrosława", "Elżbieta", "Grażyna", "Jarosław",
    "Józef", "Kasia", "Łucja", "Łukasz", "Małgorzata", "Marek", "Michał", "Paweł", "Radosław",
    "Róża", "Stanisław", "Świętosława", "Tomasz", "Wanda", "Zbigniew", "Zofia",
];

pub(super) const POLISH_LAST: &[&str] = &[
    "Adamczyk", "Bąk", "Dąb", "Gołąb", "Góral", "Jóźwiak", "Kaczmarek", "Kowalczyk", "Król", "Łoś",
    "Mróz", "Nowak", "Pająk", "Sęk", "Ślusarczyk", "Wałęga", "Wieczorek", "Wójcik", "Wróbel",
    "Zając",
];

pub(super) const VIETNAMESE_FIRST: &[&str] = &[
    "Bảo Châu", "Đức Anh", "Hoài Nam", "Hồng Nhung", "Khánh Linh", "Lan Hương", "Mỹ Linh",
    "Ngọc Hà", "Quang Huy", "Thảo My", "Thu Hà", "Tuấn Kiệt",
];

pub(super) const VIETNAMESE_LAST: &[&str] = &[
    "Bùi", "Đặng", "Đỗ", "Hồ", "Lê", "Nguyễn", "Phạm", "Trần", "Võ", "Vũ",
];

pub(super) const SPANISH_FIRST: &[&str] = &[
    "Álvaro", "Begoña", "Camila", "Catalina", "Chucho", "Consuelo", "Diego", "Elvira", "Estefanía",
    "Fermín", "Gael", "Inés", "Íñigo", "Jacinto", "Joaquín", "Julieta", "Lucía", "Manuela",
    "Matías", "Nieves", "Paloma", "Rocío", "Soledad", "Tomás", "Úrsula", "Valentín", "Ximena",
    "Yesenia",
];

pub(super) const SPANISH_LAST: &[&str] = &[
    "Aguirre", "Ávila", "Bermúdez", "Castañeda", "Cortázar", "del Río", "Echeverría", "Fuentes",
    "Galván", "Huerta", "Ibáñez", "Jiménez", "Lozano", "Montúfar", "Muñoz", "Núñez", "Ocampo",
    "Pacheco", "Quiroga", "Rentería", "Salvatierra", "Téllez", "Urrutia", "Vallejo", "Yáñez",
    "Zúñiga",
];

pub(super) const SPANISH_PLURALS: &[&str] = &[
    "Bandoleros", "Caimanes", "Canarios", "Carteros", "Coyotes", "Delfines", "Duendes", "Faroles",
    "Gatos", "Gorriones", "Leones", "Lobos", "Marineros", "Navegantes", "Panaderos", "Piratas",
    "Primos", "Relojes", "Sonámbulos", "Tiburones", "Toreros", "Trenes",
];

pub(super) const SPANISH_QUALITIES: &[&str] = &[
    "Azules", "Cansados", "Clandestinos", "de Barrio", "del Sur", "Dormidos", "Eléctricos",
    "Errantes", "Felices", "Invisibles", "Lentos", "Mecánicos", "Nocturnos", "Perdidos", "Salvajes",
    "sin Techo", "Tímidos", "Últimos",
];

pub(super) const PORTUGUESE_FIRST: &[&str] = &[
    "Adriano", "Aurélio", "Bebel", "Caetana", "Cecília", "Conceição", "Davi", "Elis", "Estevão",
    "Flávia", "Gilson", "Helô", "Ivã", "Jandira", "João", "Lívia", "Luísa", "Marcílio", "Moacyr",
    "Nara", "Otávio", "Rejane", "Simão", "Tainá", "Vinícius", "Zélia",
];

pub(super) const PORTUGUESE_LAST: &[&str] = &[
    "Albuquerque", "Antunes", "Assunção", "Brandão", "Cabral", "Calcanhotto", "Falcão",
    "Figueiredo", "Gonçalves", "Guimarães", "Lacerda", "Leitão", "Magalhães", "Menezes", "Nogueira",
    "Peixoto", "Queirós", "Quintão", "Rebelo", "Sá", "Simões", "Teixeira", "Vasconcelos", "Viola",
];

pub(super) const FRENCH_FIRST: &[&str] = &[
    "Adèle", "Agnès", "Aurélien", "Bérénice", "Célestin", "Chloé", "Clémence", "Éloïse", "Étienne",
    "Félix", "Gaëlle", "Hélène", "Honoré", "Inaya", "Jérémie", "Léa", "Léopold", "Loïc", "Maëlys",
    "Maxence", "Noé", "Noëlle", "Océane", "Rémi", "Solène", "Théophile", "Yaël", "Zoé",
];

pub(super) const FRENCH_LAST: &[&str] = &[
    "Aubépin", "Baptiste", "Beauséjour", "Bonnefoy", "Chevrier", "Côté", "Delacourt", "Desrosiers",
    "Dufresne", "Duprès", "Évrard", "Fontenay", "Gagné", "Garçon", "Lachaîne", "Lefèvre",
    "Maréchal", "Mérieux", "Noël", "Pélissier", "Prévost", "Rousseau-Bâ", "Sablière", "Saint-Clair",
    "Tréville", "Vasseur",
];

pub(super) const FRENCH_PLURALS: &[&str] = &[
    "Amants", "Canards", "Chats", "Éléphants", "Enfants", "Fantômes", "Garçons", "Géants",
    "Jardiniers", "Loups", "Marins", "Merles", "Nuages", "Oiseaux", "Orages", "Papillons",
    "Rêveurs", "Robots", "Tigres", "Voisins",
];

pub(super) const FRENCH_QUALITIES: &[&str] = &[
    "Affamés", "Bleus", "de la Nuit", "de Minuit", "du Dimanche", "du Nord", "Électriques",
    "Égarés", "Fatigués", "Heureux", "Immobiles", "Inquiets", "Oubliés", "Patients", "Sauvages",
    "Silencieux",
];

pub(super) const GERMAN_FIRST: &[&str] = &[
    "Annegret", "Bärbel", "Dörte", "Emil", "Friedrich", "Gundula", "Hannes", "Ilse", "Jörg",
    "Jürgen", "Käthe", "Konrad", "Liesl", "Lüder", "Magda", "Mathilde", "Nikolaus", "Ottilie",
    "Philippa", "Rosalie", "Sören", "Till", "Ulrike", "Wenzel",
];

pub(super) const GERMAN_LAST: &[&str] = &[
    "Ackermann", "Bäumler", "Blücher", "Dürr", "Eichinger", "Förster", "Gröning", "Großmann",
    "Hölderlin", "Jäger", "Köhler", "Löwe", "Lüttgens", "Müllenbach", "Niemöller", "Oberländer",
    "Pfeiffer", "Rößler", "Schäfer", "Schönfeld", "Strauß", "Tönnies", "Vogelsang", "Weißenfels",
];

pub(super) const RUSSIAN_FIRST: &[(&str, &str)] = &[
    ("Алексей", "Alexey"), ("Антон", "Anton"), ("Аркадий", "Arkady"), ("Борис", "Boris"),
    ("Вадим", "Vadim"), ("Виктор", "Viktor"), ("Глеб", "Gleb"), ("Григорий", "Grigory"),
    ("Даниил", "Daniil"), ("Егор", "Yegor"), ("Захар", "Zakhar"), ("Игорь", "Igor"),
    ("Кирилл", "Kirill"), ("Лев", "Lev"), ("Матвей", "Matvey"), ("Николай", "Nikolay"),
    ("Олег", "Oleg"), ("Пётр", "Pyotr"), ("Роман", "Roman"), ("Степан", "Stepan"),
    ("Тимофей", "Timofey"), ("Фёдор", "Fyodor"), ("Юрий", "Yury"), ("Ярослав", "Yaroslav"),
];

pub(super) const RUSSIAN_LAST: &[(&str, &str)] = &[
    ("Белов", "Belov"), ("Виноградов", "Vinogradov"), ("Воронцов", "Vorontsov"),
    ("Гаврилов", "Gavrilov"), ("Голубев", "Golubev"), ("Дождёв", "Dozhdyov"), ("Ершов", "Yershov"),
    ("Жуковский", "Zhukovsky"), ("Зимин", "Zimin"), ("Калинин", "Kalinin"), ("Лебедев", "Lebedev"),
    ("Мартынов", "Martynov"), ("Орлов", "Orlov"), ("Полянский", "Polyansky"),
    ("Родионов", "Rodionov"), ("Соколов", "Sokolov"), ("Тихонов", "Tikhonov"), ("Уваров", "Uvarov"),
    ("Филатов", "Filatov"), ("Хлебников", "Khlebnikov"), ("Цветков", "Tsvetkov"),
    ("Чайкин", "Chaykin"), ("Шубин", "Shubin"), ("Щербаков", "Shcherbakov"),
];

pub(super) const RUSSIAN_QUALITIES: &[(&str, &str)] = &[
    ("Белый", "Bely"), ("Вечерний", "Vecherny"), ("Далёкий", "Dalyoky"), ("Зимний", "Zimny"),
    ("Последний", "Posledny"), ("Северный", "Severny"), ("Серебряный", "Serebryany"),
    ("Синий", "Siny"), ("Тихий", "Tikhy"), ("Чёрный", "Chyorny"),
];

pub(super) const RUSSIAN_THINGS: &[(&str, &str)] = &[
    ("Берег", "Bereg"), ("Город", "Gorod"), ("Дом", "Dom"), ("Дым", "Dym"), ("Канал", "Kanal"),
    ("Лес", "Les"), ("Мост", "Most"), ("Океан", "Okean"), ("Поезд", "Poyezd"), ("Свет", "Svet"),
    ("Снег", "Sneg"), ("Трамвай", "Tramvay"), ("Флот", "Flot"), ("Экран", "Ekran"),
];

pub(super) const JAPANESE_LAST: &[(&str, &str)] = &[
    ("青木", "Aoki"), ("井上", "Inoue"), ("石川", "Ishikawa"), ("伊藤", "Ito"), ("加藤", "Kato"),
    ("川口", "Kawaguchi"), ("木村", "Kimura"), ("小林", "Kobayashi"), ("松本", "Matsumoto"), ("森", "Mori"),
    ("村上", "Murakami"), ("中島", "Nakajima"), ("西田", "Nishida"), ("小川", "Ogawa"), ("岡田", "Okada"),
    ("坂本", "Sakamoto"), ("佐藤", "Sato"), ("清水", "Shimizu"), ("高橋", "Takahashi"), ("田村", "Tamura"),
    ("上田", "Ueda"), ("渡辺", "Watanabe"), ("山口", "Yamaguchi"), ("吉田", "Yoshida"),
];

pub(super) const JAPANESE_FIRST: &[(&str, &str)] = &[
    ("葵", "Aoi"), ("彩香", "Ayaka"), ("千尋", "Chihiro"), ("大輔", "Daisuke"), ("遥", "Haruka"),
    ("はるき", "Haruki"), ("光", "Hikaru"), ("ひろし", "Hiroshi"), ("和也", "Kazuya"), ("健太", "Kenta"),
    ("まどか", "Madoka"), ("真由美", "Mayumi"), ("美咲", "Misaki"), ("直子", "Naoko"), ("蓮", "Ren"),
    ("リカ", "Rika"), ("さくら", "Sakura"), ("翔太", "Shota"), ("聡", "Satoshi"), ("拓海", "Takumi"),
    ("ユキ", "Yuki"), ("優子", "Yuko"), ("優斗", "Yuto"), ("結衣", "Yui"),
];

pub(super) const JAPANESE_THINGS: &[(&str, &str)] = &[
    ("朝", "Asa"), ("海辺", "Umibe"), ("鏡", "Kagami"), ("風", "Kaze"), ("木曜日", "Mokuyobi"),
    ("真夜中", "Mayonaka"), ("水", "Mizu"), ("砂", "Suna"), ("空", "Sora"), ("透明", "Tomei"),
    ("月", "Tsuki"), ("雪", "Yuki"), ("夕方", "Yugata"), ("夢", "Yume"),
];

pub(super) const JAPANESE_CREATURES: &[(&str, &str)] = &[
    ("鯨", "Kujira"), ("狐", "Kitsune"), ("猫", "Neko"), ("兎", "Usagi"), ("金魚", "Kingyo"),
    ("カメラ", "Kamera"), ("ピアノ", "Piano"), ("工場", "Kojo"), ("遊園地", "Yuenchi"), ("雀", "Suzume"),
    ("灯台", "Todai"), ("図書館", "Toshokan"),
];

pub(super) const ARABIC_FIRST: &[(&str, &str)] = &[
    ("أمل", "Amal"), ("أنور", "Anwar"), ("بسمة", "Basma"), ("جميلة", "Jamila"), ("حسن", "Hassan"),
    ("خالد", "Khaled"), ("دانة", "Dana"), ("رانيا", "Rania"), ("زياد", "Ziad"), ("سلمى", "Salma"),
    ("سمير", "Samir"), ("شيرين", "Shirin"), ("طارق", "Tarek"), ("عمر", "Omar"), ("غادة", "Ghada"),
    ("فيروزة", "Fayrouza"), ("كريم", "Karim"), ("ليلى", "Layla"), ("مريم", "Maryam"),
    ("نادر", "Nader"), ("هدى", "Houda"), ("ياسمين", "Yasmine"),
];

pub(super) const ARABIC_LAST: &[(&str, &str)] = &[
    ("البحري", "al-Bahri"), ("البغدادي", "al-Baghdadi"), ("التونسي", "al-Tounsi"),
    ("الجبلي", "al-Jabali"), ("الحلبي", "al-Halabi"), ("الخطيب", "al-Khatib"),
    ("الدمشقي", "al-Dimashqi"), ("الراوي", "al-Rawi"), ("الزهراني", "al-Zahrani"),
    ("السوسي", "al-Soussi"), ("الشامي", "al-Shami"), ("الصباغ", "al-Sabbagh"),
    ("العطار", "al-Attar"), ("الفاسي", "al-Fassi"), ("القاسمي", "al-Qasimi"),
    ("الكاتب", "al-Katib"), ("المصري", "al-Masri"), ("النجار", "al-Najjar"),
];
