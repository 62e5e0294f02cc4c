//! How the page looks.

/// The style sheet. Colours are defined once for light and once for dark screens; figures use them by class.
pub(super) const CSS: &str = r"
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2430; --soft: #5c6675; --rule: #dfe2e6; --grid: #ebedf0;
  --accent: #2563a8; --on-accent: #ffffff; --wrong: #c2571a; --on-wrong: #ffffff;
  --c0: #2563a8; --c1: #c2571a; --c2: #2c7d52; --c3: #a83279; --c4: #6b4fc0;
  --c5: #8f6f00; --c6: #117d8d; --c7: #b93434; --c8: #566373; --c9: #7d5233;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --card: #1b2027; --ink: #e6e9ee; --soft: #9aa5b4; --rule: #323a45; --grid: #272e37;
    --accent: #6ea8e8; --on-accent: #0e1319; --wrong: #eb9155; --on-wrong: #0e1319;
    --c0: #6ea8e8; --c1: #eb9155; --c2: #6cc596; --c3: #e07fb9; --c4: #a693f0;
    --c5: #d6b341; --c6: #55c3d3; --c7: #ef8080; --c8: #a3b0c0; --c9: #c79a78;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif; }
header, main { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
main { padding-bottom: 4rem; }
.kicker { margin: 0; color: var(--accent); font-size: .8rem; font-weight: 600; letter-spacing: .08em; text-transform: uppercase; }
h1 { margin: .1rem 0 .3rem; font-size: 2.1rem; line-height: 1.15; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: 1.35rem; }
h3 { margin: 1.6rem 0 .5rem; font-size: 1rem; font-weight: 600; overflow-wrap: anywhere; }
.sub { margin: 0; color: var(--soft); max-width: 46rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin-top: 1.6rem; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: .8rem 1rem .9rem; }
.tile p { margin: 0; }
.tile .figure { font-size: 1.75rem; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile .name { font-size: .92rem; }
.tile .note { color: var(--soft); font-size: .82rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: 1rem; overflow-x: auto; }
figcaption { margin-top: .6rem; color: var(--soft); font-size: .85rem; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1rem; margin: 0 0 .5rem; padding: 0; list-style: none; font-size: .85rem; }
.legend span { display: inline-block; width: 1.1rem; height: .22rem; margin-right: .35rem; border-radius: .1rem; vertical-align: middle; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 12px; font-family: inherit; font-variant-numeric: tabular-nums; }
svg text.soft { fill: var(--soft); }
svg text.bold { font-weight: 600; }
.axis { stroke: var(--rule); } .grid { stroke: var(--grid); } .zero { stroke: var(--soft); }
.panel { fill: none; stroke: var(--rule); }
.marks { stroke: var(--ink); fill: none; } .marks.input { stroke: var(--accent); }
.bar { fill: var(--c8); fill-opacity: .55; } .bar.chosen { fill: var(--accent); fill-opacity: 1; }
.bar.missed { fill: var(--wrong); fill-opacity: 1; }
.cell { fill: var(--accent); stroke: var(--rule); } .cell.wrong { fill: var(--wrong); }
svg text.on { fill: var(--on-accent); } svg text.on-wrong { fill: var(--on-wrong); }
.trace { fill: none; stroke-width: 1.5; stroke-linejoin: round; } .trace.chosen { stroke-width: 3; }
.c0 { stroke: var(--c0); background: var(--c0); } .c1 { stroke: var(--c1); background: var(--c1); }
.c2 { stroke: var(--c2); background: var(--c2); } .c3 { stroke: var(--c3); background: var(--c3); }
.c4 { stroke: var(--c4); background: var(--c4); } .c5 { stroke: var(--c5); background: var(--c5); }
.c6 { stroke: var(--c6); background: var(--c6); } .c7 { stroke: var(--c7); background: var(--c7); }
.c8 { stroke: var(--c8); background: var(--c8); } .c9 { stroke: var(--c9); background: var(--c9); }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1.4rem .3rem 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }
th[scope=row], th[scope=rowgroup], .text { text-align: left; } th { font-weight: 600; }
thead th { color: var(--soft); font-weight: 500; }
thead th:first-child { text-align: left; }
td[colspan] { text-align: left; overflow-wrap: anywhere; }
@media print { figure, .tile { break-inside: avoid; } }
";
