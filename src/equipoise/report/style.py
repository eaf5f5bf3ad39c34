"""The style sheet of the report: light and dark, a phone and a wide screen, paper."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
:root{--ink:#1a1c21;--soft:#4a505a;--faint:#c9ced6;--paper:#fefefe;--panel:#f2f4f7;--link:#00558a;
--bad:#9c3d00;--good:#00558a;--unsure:#7a5200;--blue:#0072b2;--red:#d55e00;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e9ebef;--soft:#b6bcc6;--faint:#454b55;--paper:#16181d;
--panel:#20242b;--link:#7cc4f2;--bad:#ff9d66;--good:#7cc4f2;--unsure:#f3c14b;
--blue:#56b4e9;--red:#ff7f2a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.6 system-ui,-apple-system,
"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:78rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 .25rem;max-width:40ch}
h2{font-size:1.3rem;line-height:1.3;margin:2.5rem 0 .6rem;padding-top:.8rem;
border-top:1px solid var(--faint)}
h3{font-size:1.05rem;margin:1.5rem 0 .4rem}
p,li,dd{max-width:68ch}
.by{color:var(--soft);margin:0}
.short{background:var(--panel);border-left:.3rem solid var(--link);padding:.4rem 1.2rem;
margin:1.2rem 0}
.short h2{border:0;margin:.6rem 0 0;padding:0}
.short p:first-of-type{font-size:1.2rem;line-height:1.5}
.two{display:grid;gap:0 2.5rem}
@media(min-width:68rem){.two{grid-template-columns:1fr 1fr}}
.two>*{min-width:0}
.two table{font-size:.875rem}.two th,.two td{padding-right:.6rem}
.scroll{overflow-x:auto}
table{border-collapse:separate;border-spacing:0;font-size:.94rem;margin:.8rem 0;
font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding-bottom:.4rem}
caption span{display:block;position:sticky;left:0;max-width:min(68ch,calc(100vw - 2.5rem));
overflow-wrap:break-word}
th,td{padding:.3rem .9rem .3rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--faint);overflow-wrap:break-word;max-width:22rem}
thead th{vertical-align:bottom;font-weight:600;color:var(--soft);line-height:1.3}
tbody th{font-weight:600;position:sticky;left:0;background:var(--paper);min-width:6.5rem}
.w{white-space:nowrap}
.n{text-align:right;white-space:nowrap}
thead .n{white-space:normal}
.excluded{color:var(--bad);font-weight:700}
.included{color:var(--good)}
.undecided,.boundary{color:var(--unsure);font-weight:700}
.excluded,.included,.undecided,.boundary{white-space:nowrap}
figure{margin:1.2rem 0}
figure svg{display:block;width:100%;max-width:38rem;height:auto}
figcaption{color:var(--soft);max-width:68ch;font-size:.95rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem}
@media(max-width:40rem){dl{display:block}dd{margin:0 0 .6rem}tbody th{max-width:9.5rem}}
dt{font-weight:600}dd{margin-left:0}dd ul{margin:0;padding-left:1.1rem}
.advice{padding-left:1.2rem}.advice li{margin:.5rem 0}
.more{color:var(--soft);font-size:.95rem}
code,pre{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.9rem}
pre{background:var(--panel);padding:.8rem 1rem;overflow-x:auto;white-space:pre-wrap}
a{color:var(--link)}
footer{color:var(--soft);padding-top:2rem;padding-bottom:3rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
@media print{body{font-size:9.5pt;line-height:1.4}header{padding-top:0}h1{font-size:15pt}
h2{font-size:12pt;margin:.8rem 0 .2rem;padding-top:.3rem}.short{margin:.4rem 0}
.short p{margin:.25rem 0}.short p:first-of-type{font-size:11pt}table{font-size:8.5pt;margin:.3rem 0}
.two{display:block}.two table{font-size:8.5pt}
th,td{padding-top:.12rem;padding-bottom:.12rem}@page{margin:14mm}.evidence{break-before:page}
figure,tr,dt,.two>*{break-inside:avoid}h2,h3,caption{break-after:avoid}.scroll{overflow:visible}
thead{display:table-header-group}figure{margin:.4rem 0}figure svg{max-width:11.5cm}
figcaption{font-size:8.5pt}h3{font-size:10.5pt;margin:.6rem 0 .1rem}p,li,dd{max-width:none}
pre{font-size:7.5pt}a{color:inherit;text-decoration:none}tbody th{position:static}
details::details-content{content-visibility:visible;display:block;height:auto}
summary{list-style:none;font-weight:600}}
@media print and (prefers-color-scheme:dark){:root{--ink:#1a1c21;--soft:#4a505a;--faint:#c9ced6;
--paper:#fefefe;--panel:#f2f4f7;--link:#00558a;--bad:#9c3d00;--good:#00558a;--unsure:#7a5200;
--blue:#0072b2;--red:#d55e00}}
"""
