"""Names, towns and words with letters beyond ASCII, and the letters to compose more of them. Data only."""

FIRST = """André Ángel Åse Åsa Ásgeir Anaïs Agnès Aurélie Ágnes Álvaro Andrés Begoña Björk Björn Bjørn Błażej Bożena Bärbel
Çağla Cécile Céline Chloé Clémence Côme Désirée Dragiša Đorđe Đức Eloïse Élise Émile Éric Éva Edmée Fátima Françoise Frédéric
Félix Gérard Gökhan Göran Günther Guðrún Hélène Hervé Håkon Håvard Hüseyin Héctor Íñigo Inês Irène Iñaki Jānis Jérôme Jesús João Jörg
José Joël Józef Jürgen Kälin Káťa Kārlis Kübra Lærke Léa Léo Loïc Lúcia Łucja Łukasz Luís Mădălina Maël Małgorzata Märta María Matěj
Mélanie Miloš Mónica Mücahit Måns Māra Nađa Naïma Niccolò Noël Noémie Núria Nuño Óscar Ömer Øystein Örjan Pál Pärt Přemysl
Rémi René Renée Raúl Rūta Søren Sævar Ségolène Şule Šárka Siân Sławek Sofía Solène Stéphane Stanisław Štěpán Tõnu Thérèse Tomás Tomáš
Tuğba Ümit Ülle Václav Valérie Verónica Vítor Víctor Wacław Wörner Xià Yağmur Yücel Zdeněk Zoë Zoé Žofia Željko Živa Žiga""".split()
LAST = """Nguyễn Trần Lê Phạm Huỳnh Đặng Bùi Đỗ Hồ Ngô Dương Çelik Yılmaz Şahin Öztürk Aydın Doğan Kılıç Güneş Müller Schäfer Köhler
Krüger Jäger Böhm Gärtner Sørensen Jørgensen Nygård Ødegård Åberg Lindström Sjögren Björklund Östlund Hämäläinen Mäkinen García
Martínez Rodríguez López Hernández González Pérez Sánchez Ramírez Núñez Muñoz Peña Gonçalves Araújo Simões Conceição Magalhães
Lefèvre Béranger Gérôme Dvořák Novotná Němec Černý Růžička Horák Kovács Szabó Németh Tóth Kiss-Pál Kowalczyk-Żak Wójcik Dąbrowski
Kozłowski Jabłoński Wiśniewski Popović Jovanović Babić Kovačević Đukić Ionuț Ștefănescu Bălan Þórsdóttir Jónsson Bērziņš Ozoliņš
Kazlauskas-Šimkus Žukauskas Tamás Kõiv Põder Brontë""".split()
TOWNS = """Århus Ålesund Åre Malmö Göteborg Umeå Luleå Västerås Örebro Jönköping Tromsø Bodø Røros Helsingør Köln München Düsseldorf
Nürnberg Würzburg Göttingen Tübingen Zürich Genève Delémont Neuchâtel Besançon Orléans Nîmes Béziers Saint-Étienne Sète Córdoba Málaga
Cádiz León Jaén Mérida Logroño Cáceres Ávila Braga-Nova Évora Guimarães Setúbal Óbidos São-Luís Belém Brasília Maceió Bogotá
Medellín Cúcuta Asunción Cancún Łódź Kraków Gdańsk Poznań Wrocław Toruń Rzeszów Plzeň Ústí Hradec-Králové Třebíč Žilina Košice Prešov
Győr Pécs Székesfehérvár Čakovec Šibenik Požega Niš Čačak Iași Bacău Brașov Timișoara Galați Şanlıurfa Muğla Çorum Eskişehir
Kütahya Ağrı Huế Đà-Nẵng Reykjavík Akureyri Ísafjörður Kópavogur Tórshavn Pärnu Võru Jõhvi Rēzekne Liepāja Šiauliai Panevėžys
Jyväskylä Hämeenlinna Seinäjoki Québec Montréal Trois-Rivières""".split()
WORDS = """café crème brûlée jalapeño piñata smörgås blåbær rødgrød fjörd müsli käse brötchen knödel gemüse spätzle pâté soufflé
entrée château rosé déjà naïve façade purée crêpe gâteau maçã pêra limão avó mañana señor niño otoño sueño águila azúcar śnieg źródło
łabędź żaba pączek děda růže šálek křída čaj köfte çay güneş yıldız börek ağaç phở bánh nước æble øl å ånd kærlighed hygge-lås
tähti yö pöytä jää öö kõrv sõna ģimene zvaigzne žvaigždė ąžuolas tűz víz gyümölcs híd könyv câine înger țară""".split()

# One row per way of writing: its vowels and its consonants, both to be mixed with plain letters.
PALETTES = [
    ("å ä ö", ""), ("å ø æ", ""), ("ä ö ü", ""), ("á é í ó ú", "ñ"), ("á ã é ê í ó õ ú", "ç"), ("à â é è ê ë î ï ô û", "ç"),
    ("ą ę ó", "ć ł ń ś ź ż"), ("á é ě í ó ú ů ý", "č ď ň ř š ť ž"), ("á é í ó ö ő ú ü ű", ""), ("ö ü ı", "ç ğ ş"), ("ă â î", "ș ț"),
    ("á é í ó ú ý æ ö", "ð þ"), ("ā ē ī ū", "č ģ ķ ļ ņ š ž"), ("ą ę ė į ų ū", "č š ž"), ("", "č ć đ š ž"), ("õ ä ö ü", "š ž"),
    ("ạ ả ấ ầ ễ ệ ế ị ọ ố ộ ơ ớ ờ ư ừ ữ ỳ ă ắ ô ê â", "đ"), ("ŵ ŷ â ê î ô", ""), ("ë ï é", ""), ("à è ì ò ù", ""),
]
PALETTES = [(v.split(), c.split()) for v, c in PALETTES]
