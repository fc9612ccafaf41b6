/** The script of the page: a filter for the table of results, which is all there without it. Plain enough for any browser. */
export const SCRIPT = `
(function () {
  'use strict';
  var bar = document.getElementById('filter');
  var box = document.getElementById('words');
  var told = document.getElementById('told');
  var rows = Array.prototype.slice.call(document.querySelectorAll('#results tbody tr'));
  if (!bar || !box || !told || rows.length === 0) return;
  var texts = rows.map(function (row) {
    return Array.prototype.map.call(row.cells, function (cell) { return cell.textContent; }).join(' ').toLowerCase();
  });
  function apply() {
    var words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    var shown = 0;
    rows.forEach(function (row, index) {
      var fits = words.every(function (word) { return texts[index].indexOf(word) !== -1; });
      row.hidden = !fits;
      if (fits) shown += 1;
    });
    told.textContent = shown + ' of ' + rows.length + ' rows';
  }
  box.addEventListener('input', apply);
  bar.hidden = false;
  apply();
})();
`;
