// Colours for assembly, whose language the highlighter does not know: comments, strings, labels, directives, the word
// that a statement begins with, registers and numbers.
const parts = new RegExp(
    [
        "(?<comment>(?:#|//).*$)",
        '(?<string>"(?:[^"\\\\\\n]|\\\\.)*")',
        "(?<=^|;|:(?=[ \\t]))(?<blank>[ \\t]*)(?:(?<label>[\\w.$\\\\@]+:)|(?<directive>\\.\\w+)|(?<word>[A-Za-z_][\\w.]*))",
        "(?<register>\\b(?:x\\d+|v\\d+|zero|ra|sp|gp|tp|t[0-6]|s\\d+|a[0-7])\\b(?!\\.))",
        "(?<number>(?<![\\w.])\\d[\\w.]*)",
        "(?<other>[\\w.$]+)",
    ].join("|"),
    "gm",
);
const classes = {
    comment: "hljs-comment",
    string: "hljs-string",
    label: "hljs-symbol",
    directive: "hljs-meta",
    word: "hljs-keyword",
    register: "hljs-built_in",
    number: "hljs-number",
};

function coloured(text, groups) {
    const kind = Object.keys(classes).find((name) => groups[name] !== undefined);
    if (kind === undefined) return [document.createTextNode(text)];
    const span = document.createElement("span");
    span.className = classes[kind];
    span.textContent = groups[kind];
    return [document.createTextNode(groups.blank ?? ""), span];
}

for (const block of document.querySelectorAll("code.language-asm, code.language-gas")) {
    const text = block.textContent;
    const nodes = [];
    let at = 0;
    for (const found of text.matchAll(parts)) {
        nodes.push(document.createTextNode(text.slice(at, found.index)), ...coloured(found[0], found.groups));
        at = found.index + found[0].length;
    }
    nodes.push(document.createTextNode(text.slice(at)));
    block.replaceChildren(...nodes);
}
