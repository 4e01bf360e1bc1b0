/** The styles of the page, for light and dark, paper and phone: no font and no picture from elsewhere. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fcfbf9;--ink:#1c2024;--soft:#59626c;--line:#e2dfd9;--fill:#f2f0ec;
--blue:#2f6699;--blue-area:#2f669926;--warm:#b4430d;--warm-area:#c2541f38;--warm-solid:#f1d6c9;--good:#1d6f42;--bad:#b3261e;
--up:#5b9a78;--rising:#cf9a2b;--wait:#b9bec5;--off:#8d959e;--fail:#c4453c}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e8e6e2;--soft:#a0a8b1;--line:#2c3137;--fill:#1d2125;
--blue:#7fb2e5;--blue-area:#7fb2e533;--warm:#ff9a6b;--warm-area:#ff8a5640;--warm-solid:#4b2c1f;--good:#74c997;--bad:#ff8379;
--up:#4f8a6b;--rising:#c79a3d;--wait:#565d66;--off:#6b737c;--fail:#d0584e}}
*,::before{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:64rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
.eyebrow{margin:0 0 .75rem;color:var(--soft);font-size:.875rem}
.eyebrow b{color:var(--ink);font-weight:600}
h1{margin:0;font-size:clamp(1.65rem,1.1rem + 2.6vw,2.75rem);line-height:1.15;font-weight:650;letter-spacing:-.015em;max-width:24em;text-wrap:balance;overflow-wrap:anywhere}
h2{margin:3.5rem 0 1rem;font-size:1.3rem;line-height:1.3;font-weight:650;letter-spacing:-.005em}
h3{margin:2rem 0 .25rem;font-size:1rem;font-weight:650;overflow-wrap:anywhere}
p{margin:.5rem 0}
a{color:var(--blue)}
code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.answers{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1.75rem 0 0}.answers>div{flex:1 1 13rem}.answers>.because{flex-grow:2}
.answers dt,.facts dt{color:var(--soft);font-size:.8125rem}
.answers dd{margin:.125rem 0 0;font-weight:600;overflow-wrap:anywhere}
.answers dd small{display:block;font-weight:400;font-size:.875rem;color:var(--soft)}
.answers .good{color:var(--good)}.answers .bad{color:var(--bad)}
figure{margin:0}
.overview{margin-top:2.25rem}
figcaption{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin-bottom:.375rem;color:var(--soft);font-size:.8125rem}
.legend{margin:.5rem 0 0;color:var(--soft);font-size:.8125rem}.legend .key{margin-right:.75rem}
.key{white-space:nowrap}
.key::before{content:"";display:inline-block;width:.625rem;height:.625rem;margin-right:.375rem;border-radius:2px;background:var(--blue)}
.key.grew::before{background:var(--warm)}.key.plain::before{background:var(--blue)}
.key.ready::before{background:var(--up)}.key.waiting::before{background:var(--wait)}.key.starting::before{background:var(--rising)}
.key.backoff::before,.key.clearing::before{background:repeating-linear-gradient(45deg,var(--rising) 0 2px,var(--paper) 2px 4px)}
.key.failed::before{background:var(--fail)}.key.exited::before{background:var(--off)}
.key.restart::before{border-radius:50%;background:var(--paper);border:2px solid var(--ink)}
.key.breach::before{width:2px;height:.75rem;border-radius:0;background:var(--bad);vertical-align:-.1rem}
.key.link::before{width:.875rem;height:1px;border-radius:0;background:var(--soft);vertical-align:.25rem}
svg{display:block;overflow:visible}
.picture{border-bottom:1px solid var(--line)}
.picture svg{overflow:hidden}
.axis text{fill:var(--soft);font-size:11px}
.grid{stroke:var(--line)}
.area{stroke:none}.line{fill:none;stroke-width:1.5;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.plain .area{fill:var(--blue-area)}.plain .line{stroke:var(--blue)}
.grew .area{fill:var(--warm-area)}.overview .grew .area{fill:var(--warm-solid)}.grew .line{stroke:var(--warm)}
.limit{stroke:var(--bad);stroke-dasharray:4 4}
.breach{stroke:var(--bad);stroke-width:1.5}
.state{fill:var(--off)}
.state.waiting{fill:var(--wait)}.state.spawning,.state.starting{fill:var(--rising)}.state.running,.state.ready{fill:var(--up)}
.state.backoff,.state.clearing{fill:url(#hatch)}.state.unhealthy,.state.failed{fill:var(--fail)}
#hatch path{stroke:var(--rising);stroke-width:2}
.restart{fill:var(--paper);stroke:var(--ink);stroke-width:2}
.service{padding:1.5rem 0 .5rem;border-top:1px solid var(--line)}
.service:first-of-type{border-top:0;padding-top:.5rem}
.service h3{margin:0;display:inline}
.service .about{margin:.125rem 0 .75rem;color:var(--soft);font-size:.9375rem}
.plot{position:relative;display:grid;grid-template-columns:7.5rem 1fr;gap:.5rem 1rem;align-items:end}
.label{font-size:.8125rem;line-height:1.3;color:var(--soft);padding-bottom:.125rem}
.label b{display:block;font-size:.9375rem;font-weight:600;color:var(--ink)}
.label small{font-size:.75rem;color:var(--bad)}
.over{position:absolute;inset:0 0 0 8.5rem;pointer-events:none}
.reader{position:absolute;inset:0 0 1.25rem;pointer-events:auto;cursor:crosshair;border-radius:3px;touch-action:pan-y}
.cursor{position:absolute;top:0;bottom:0;width:1px;background:var(--ink);pointer-events:none}
.readout{min-height:1.5em;margin:.25rem 0 0 8.5rem;font-size:.875rem;color:var(--soft);overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
.waterfall text{fill:var(--ink);font-size:13px}.waterfall .name{font-weight:600}.waterfall .outcome{fill:var(--soft)}
.rail{stroke:var(--line)}
.link line{stroke:var(--soft);stroke-width:1}.link circle{fill:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1rem 2rem;margin:1rem 0}
.facts dd{margin:.125rem 0 0;font-size:.9375rem;overflow-wrap:anywhere}
.proof{font-size:1.0625rem;max-width:46em}.proof.good strong{color:var(--good)}.proof.bad strong{color:var(--bad)}
table{width:100%;border-collapse:collapse;font-size:.875rem}
th,td{padding:.4375rem 1rem .4375rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:400;font-size:.8125rem;white-space:nowrap}
tbody th{font-weight:600}
.number{text-align:right;white-space:nowrap}.number:last-child{padding-right:0}
.time{white-space:nowrap;color:var(--soft)}
.command{min-width:14rem}
.scroll{overflow-x:auto}
details{margin:.375rem 0}
summary{cursor:pointer;padding:.25rem 0;color:var(--soft);font-size:.9375rem}
summary b{color:var(--ink);font-weight:600;margin-right:.375rem}
.why{margin:0}.why summary{padding:0;font-size:.875rem}.why ul{margin:.25rem 0 0;padding-left:1rem;font-size:.8125rem;color:var(--soft);overflow-wrap:anywhere;max-width:26rem}
.breaches{list-style:none;margin:0;padding:0}
.breaches li{display:grid;grid-template-columns:7.5rem 1fr;gap:0 1rem;padding:.75rem 0;border-top:1px solid var(--line)}
.breaches li:first-child{border-top:0}
.breaches p{margin:0}.breaches .because{color:var(--soft);font-size:.9375rem}
.notes{padding-left:1.25rem;color:var(--soft);font-size:.9375rem;overflow-wrap:anywhere}
footer{margin-top:4rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.8125rem}
@media (max-width:44rem){main{padding-top:1.5rem}.answers{display:block}.answers>div{margin-top:.875rem}
.plot{grid-template-columns:1fr;gap:.25rem}.label:empty{display:none}.label b{display:inline;margin-left:.25rem}.over{left:0}.readout{margin-left:0}
.breaches li{grid-template-columns:1fr}h2{margin-top:2.75rem}.command{min-width:11rem}.why ul{min-width:12rem}.facts{grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr))}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#ccc}body{font-size:11pt}main{max-width:none;padding:0}.over{display:none}
.service,figure,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
`;
