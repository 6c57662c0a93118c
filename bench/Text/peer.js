// The Rust library through its Node binding (npm install tokenizers), on the texts and in the way of Program.cs.
// Usage: node peer.js REPOSITORY FOLDER...
const fs = require("fs"), path = require("path");
const { Tokenizer } = require("tokenizers");
const [repository, ...folders] = process.argv.slice(2);

const files = (folder, name) => fs.readdirSync(folder, { recursive: true }).filter(file => file.endsWith(name))
    .map(file => path.join(folder, file)).sort((a, b) => (a < b ? -1 : 1));
const join = list => list.map(file => fs.readFileSync(file, "utf8")).join("").slice(0, 500000);
const texts = [
    join(files(path.join(repository, "docs"), ".md")),
    join(files(path.join(repository, "src"), ".cs")),
    files(path.join(repository, "tests/golden/tokenizers"), "cases.json")
        .flatMap(file => JSON.parse(fs.readFileSync(file)).cases.map(item => item.text)).join(""),
];

async function best(round, amount) {
    let rate = 0;
    await round();
    for (const start = performance.now(); performance.now() - start < 1000;) {
        const begin = performance.now();
        await round();
        rate = Math.max(rate, amount / (performance.now() - begin) * 1000);
    }
    return rate;
}

(async () => {
    for (const folder of folders) {
        const tokenizer = Tokenizer.fromFile(path.join(folder, "tokenizer.json"));
        let line = path.basename(folder).padEnd(26);
        for (const text of texts) {
            const pieces = [];
            for (let i = 0; i < text.length; i += 8192) {
                pieces.push(text.slice(i, i + 8192).toWellFormed());
            }
            const bytes = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
            const rate = await best(async () => {
                for (const piece of pieces) {
                    await tokenizer.encode(piece, null, { addSpecialTokens: false });
                }
            }, bytes);
            line += (rate / 1e6).toFixed(1).padStart(8);
        }
        const ids = (await tokenizer.encode(texts[0], null, { addSpecialTokens: false })).getIds();
        line += (1e9 / await best(() => tokenizer.decode(ids, true), ids.length)).toFixed(0).padStart(8);
        console.log(line);
    }
})();
