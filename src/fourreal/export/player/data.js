// The scene's arrays out of the page: base64 of gzip of one run of bytes.
async function unpack(about) {
  if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old to unpack the scene; any current one does.");
  const holder = document.getElementById("scene"), text = atob(holder.textContent.trim());
  holder.remove();
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  const kinds = { f4: Float32Array, i2: Int16Array, u2: Uint16Array, u1: Uint8Array, i1: Int8Array };
  return Object.fromEntries(about.arrays.map(({ name, kind, start, length }) => [name, new kinds[kind](bytes, start, length)]));
}

// What painter and worker take: four floats a Gaussian.
function asScene(about, arrays) {
  const count = about.count, four = () => new Float32Array(4 * count);
  const place = four(), turn = four(), shape = four(), paint = new Uint8Array(4 * count), [low, high] = about.logScales;
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < 3; c++) {
      place[4 * n + c] = arrays.means[3 * n + c];
      shape[4 * n + c] = Math.exp(low + (high - low) * arrays.log_scales[3 * n + c] / 65535);
      paint[4 * n + c] = arrays.colors[3 * n + c];
    }
    for (let c = 0; c < 4; c++) turn[4 * n + c] = arrays.quats[4 * n + c] / 32767;
    shape[4 * n + 3] = arrays.opacities[n] / 65535;
    paint[4 * n + 3] = arrays.coverage ? arrays.coverage[n] : 255;
  }
  return { count, place, turn, shape, paint };
}

function asMotion(about, arrays) {
  const m = about.motion;
  if (!m) return null;
  if (m.kind === "frames") return { ...m, shifts: arrays.shifts, turns: arrays.turns, stretches: arrays.stretches, shiftSize: arrays.shift_size, turnSize: arrays.turn_size, stretchSize: arrays.stretch_size };
  const weights = Float32Array.from(arrays.weights), k = m.neighbours;
  for (let i = 0; i < weights.length; i += k) {
    let sum = 0;
    for (let j = i; j < i + k; j++) sum += weights[j];
    for (let j = i; j < i + k; j++) weights[j] /= sum || 1;
  }
  return { ...m, nodes: arrays.nodes, moves: arrays.moves, rows: arrays.rows, weights };
}
