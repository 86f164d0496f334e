"""The HTML of the gallery: ``string.Template`` texts, without anything from outside."""

PAGE = '''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { margin: 0; font: 16px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1d2329;
       background: #f4f5f6; }
header, main { max-width: 1720px; margin: 0 auto; padding: 0 24px; }
h1 { font-size: 30px; margin: 24px 0 4px; }
.lead { font-size: 19px; margin: 0 0 4px; }
.notes { color: #59636e; margin: 4px 0 10px; max-width: 110ch; }
.figures { display: flex; flex-wrap: wrap; gap: 28px; margin: 12px 0; }
.figure { color: #59636e; font-size: 14px; }
.figure b { display: block; font-size: 30px; line-height: 1.1; color: #1d2329; }
.bar { display: flex; height: 26px; margin: 10px 0; border-radius: 5px; overflow: hidden; color: #fff;
       font-size: 14px; }
.bar span { min-width: 0; overflow: hidden; white-space: nowrap; padding-left: 8px; line-height: 26px; }
.right { background: #1a7f4b; } .missed { background: #7a828b; } .wrong { background: #c3461c; }
.tools { position: sticky; top: 0; z-index: 1; background: #f4f5f6; padding: 8px 0; border-bottom: 1px solid #d5d9dd; }
.tools label { color: #59636e; font-size: 14px; margin-right: 12px; }
.chips { display: inline; }
.chip { border: 2px solid transparent; border-radius: 14px; padding: 2px 10px; margin: 2px; font: inherit;
        font-size: 13px; cursor: pointer; }
.chip.chosen { border-color: #111; }
.chips.filtered .chip:not(.chosen) { opacity: .35; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 18px; margin: 18px 0 40px; }
@media (max-width: 640px) { .grid { grid-template-columns: 1fr; } }
.card { margin: 0; background: #fff; border-radius: 8px; overflow: hidden; box-shadow: 0 1px 3px #0002; }
.card img { display: block; width: 100%; cursor: zoom-in; }
.card figcaption { padding: 6px 14px 12px; font-size: 14px; }
.card b { margin-right: 10px; }
.count { border-radius: 9px; padding: 1px 8px; color: #fff; margin-right: 4px; font-size: 13px; }
.names { color: #59636e; display: block; margin-top: 3px; }
dialog { border: 0; padding: 0; max-width: 100vw; max-height: 100vh; width: 100vw; height: 100vh; background: #fff; }
dialog img { width: 100vw; height: calc(100vh - 60px); object-fit: contain; }
dialog p { margin: 0; height: 50px; text-align: center; font-size: 20px; line-height: 50px; }
</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="lead">$scenes rooms with $things things to find: <b>$right found</b>, $missed missed, $wrong wrong boxes.
Of the $shown boxes shown $precision % are right; $recall % of the things are found.</p>
<div class="figures">$figures</div>
<div class="bar"><span class="right" style="flex: $right">$right right</span><span class="missed"
 style="flex: $missed">$missed missed</span><span class="wrong" style="flex: $wrong">$wrong wrong</span></div>
<p class="notes">Left what is there, right what the detector finds, in the colour of the class. <b>Dashed</b> boxes are
mistakes: missed on the left, wrong on the right. A box is right if it has the class of a thing and an overlap (IoU) of
at least 0.25 with it. $notes Click a picture to enlarge it; arrow keys go on from there.</p>
</header>
<main>
<div class="tools">
<label>Order <select id="order"><option value="">as evaluated</option><option value="-f1">best first</option>
<option value="f1">worst first</option><option value="-missed">most missed first</option>
<option value="-wrong">most wrong boxes first</option></select></label>
<label>Rooms with <span class="chips" id="chips">$chips</span></label>
<label id="number"></label>
</div>
<div class="grid" id="grid">
$cards
</div>
</main>
<dialog id="large"><img alt=""><p></p></dialog>
<script>
const grid = document.getElementById('grid'), cards = [...grid.children], large = document.getElementById('large');
const chips = document.getElementById('chips'), order = document.getElementById('order');
function shown() { return [...grid.children].filter(card => !card.hidden); }
function arrange() {
  const key = order.value.replace('-', ''), sign = order.value.startsWith('-') ? -1 : 1;
  const sorted = key ? [...cards].sort((a, b) => sign * (a.dataset[key] - b.dataset[key])) : cards;
  const names = [...chips.querySelectorAll('.chosen')].map(chip => chip.dataset.name);
  chips.classList.toggle('filtered', names.length > 0);
  for (const card of sorted) {
    const classes = JSON.parse(card.dataset.classes);
    card.hidden = names.some(name => !classes.includes(name));
    grid.append(card);
  }
  document.getElementById('number').textContent = names.length ? shown().length + ' rooms' : '';
}
order.onchange = arrange;
chips.onclick = event => {
  const chip = event.target.closest('.chip');
  if (chip) { chip.classList.toggle('chosen'); arrange(); }
};
let at = 0;
function enlarge(number) {
  const all = shown();
  at = (number + all.length) % all.length;
  large.querySelector('img').src = all[at].querySelector('img').src;
  large.querySelector('p').textContent = all[at].querySelector('.line').textContent;
  if (!large.open) large.showModal();
}
grid.onclick = event => {
  if (event.target.tagName === 'IMG') enlarge(shown().indexOf(event.target.closest('.card')));
};
large.onclick = () => large.close();
document.onkeydown = event => {
  if (!large.open) return;
  const step = { ArrowRight: 1, ArrowDown: 1, ' ': 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) { event.preventDefault(); enlarge(at + step); }
};
</script>
</body>
</html>
'''

CHIP = '''<button class="chip" data-name="$name" style="background: $colour; color: $text"
 title="$right of $things found, $wrong wrong boxes">$name $right/$things</button>
'''

CARD = '''<figure class="card" data-f1="$f1" data-missed="$missed" data-wrong="$wrong" data-classes="$classes">
<img loading="lazy" alt="$name" src="data:image/webp;base64,$picture">
<figcaption><span class="line"><b>$name</b><span class="count right">$right right</span> <span
 class="count missed">$missed missed</span> <span class="count wrong">$wrong wrong</span></span><span
 class="names">$missed_names</span><span class="names">$wrong_names</span></figcaption>
</figure>'''
