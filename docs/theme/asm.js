// Comments of assembly examples in the colour of comments; the highlighter does not know the language.
for (const block of document.querySelectorAll('code.language-asm, code.language-gas')) {
    block.innerHTML = block.innerHTML.replace(/(#|\/\/).*$/gm, '<span class="hljs-comment">$&</span>');
}
