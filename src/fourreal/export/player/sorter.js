// The worker: where every Gaussian is at a time, and in which order a camera must draw them (farthest first).
"use strict";
const BINS = 1 << 18, NEAR = 0.01;
const scratch = new Uint32Array(BINS);
let scene, motion, place, turn, shape, time;

onmessage = ({ data }) => {
  if (data.scene) return begin(data);
  const moved = data.time !== time;
  if (moved) { time = data.time; if (motion) motion.kind === "nodes" ? followNodes(time) : followFrames(time); }
  const order = sorted(data.forward);
  const answer = { order, id: data.id };
  if (moved) Object.assign(answer, { place: place.slice(), turn: turn.slice(), shape: motion?.scaling ? shape.slice() : null });
  postMessage(answer, [order.buffer, ...(moved ? [answer.place.buffer, answer.turn.buffer] : [])]);
};

function begin(data) {
  ({ scene, motion } = data);
  place = scene.place.slice(); turn = scene.turn.slice(); shape = scene.shape.slice();
}

// Control nodes: x + sum_k w_k ((R_k - 1)(x - p_k) + tau_k), and (1 + sum_k w_k (q_k - 1)) q for the rotation.
function followNodes(t) {
  const { nodes, rows, weights, neighbours, scaling } = motion, table = nodeTable(t), wide = 17;
  for (let n = 0, i = 0; n < scene.count; n++) {
    const x = scene.place[4 * n], y = scene.place[4 * n + 1], z = scene.place[4 * n + 2];
    let dx = 0, dy = 0, dz = 0, qw = 1, qx = 0, qy = 0, qz = 0, ds = 0;
    for (let k = 0; k < neighbours; k++, i++) {
      const w = weights[i], p = 3 * rows[i], at = wide * rows[i];
      const a = x - nodes[p], b = y - nodes[p + 1], c = z - nodes[p + 2];
      dx += w * (table[at] * a + table[at + 1] * b + table[at + 2] * c + table[at + 3]);
      dy += w * (table[at + 4] * a + table[at + 5] * b + table[at + 6] * c + table[at + 7]);
      dz += w * (table[at + 8] * a + table[at + 9] * b + table[at + 10] * c + table[at + 11]);
      qw += w * table[at + 12]; qx += w * table[at + 13]; qy += w * table[at + 14]; qz += w * table[at + 15];
      ds += w * table[at + 16];
    }
    move(n, x + dx, y + dy, z + dz, qw, qx, qy, qz);
    if (scaling) stretch(n, ds, ds, ds);
  }
}

// Each node's R - 1 and tau (3 x 4), q - 1 (wxyz) and change of log scale at a time.
function nodeTable(t) {
  const { moves, frames, columns, cubic } = motion, count = moves.length / frames / columns;
  const table = new Float32Array(17 * count), m = new Float32Array(7), basis = basisAt(t, frames, cubic);
  for (let k = 0; k < count; k++) {
    m.fill(0);
    for (const [frame, share] of basis) for (let c = 0; c < columns; c++) m[c] += share * moves[(frame * count + k) * columns + c];
    const angle = Math.hypot(m[3], m[4], m[5]), s = angle < 1e-4 ? 0.5 - angle * angle / 48 : Math.sin(angle / 2) / angle;
    const w = Math.cos(angle / 2), x = s * m[3], y = s * m[4], z = s * m[5];
    table.set([
      -2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), m[0],
      2 * (x * y + w * z), -2 * (x * x + z * z), 2 * (y * z - w * x), m[1],
      2 * (x * z - w * y), 2 * (y * z + w * x), -2 * (x * x + y * y), m[2],
      w - 1, x, y, z, m[6],
    ], 17 * k);
  }
  return table;
}

// [frame, weight] pairs: linear, or Catmull-Rom with repeated ends.
function basisAt(t, frames, cubic) {
  const first = Math.max(0, Math.min(Math.floor(t), frames - 2)), u = t - first;
  if (!cubic || frames < 3) return [[first, 1 - u], [Math.min(first + 1, frames - 1), u]];
  const terms = [-u + 2 * u * u - u ** 3, 2 - 5 * u * u + 3 * u ** 3, u + 4 * u * u - 3 * u ** 3, -u * u + u ** 3];
  return terms.map((v, i) => [Math.max(0, Math.min(first + i - 1, frames - 1)), v / 2]);
}

// Any other field: its offsets at whole times, as integers times a size per Gaussian; in between they are mixed.
function followFrames(t) {
  const { frames, shifts, turns, stretches, shiftSize, turnSize, stretchSize } = motion, count = scene.count;
  const [[f0, u0], [f1, u1]] = basisAt(t, frames, false), at = (table, wide, axis, n, size) =>
    (u0 * table[(f0 * wide + axis) * count + n] + u1 * table[(f1 * wide + axis) * count + n]) * size[n];
  for (let n = 0; n < count; n++) {
    const d = (axis) => scene.place[4 * n + axis] + at(shifts, 3, axis, n, shiftSize), q = (axis) => at(turns, 4, axis, n, turnSize);
    move(n, d(0), d(1), d(2), 1 + q(0), q(1), q(2), q(3));
    if (stretches) { const s = (axis) => at(stretches, 3, axis, n, stretchSize); stretch(n, s(0), s(1), s(2)); }
  }
}

function move(n, x, y, z, w, i, j, k) {
  const at = 4 * n, a = scene.turn[at], b = scene.turn[at + 1], c = scene.turn[at + 2], d = scene.turn[at + 3];
  place[at] = x; place[at + 1] = y; place[at + 2] = z;
  turn[at] = w * a - i * b - j * c - k * d;
  turn[at + 1] = w * b + i * a + j * d - k * c;
  turn[at + 2] = w * c - i * d + j * a + k * b;
  turn[at + 3] = w * d + i * c - j * b + k * a;
}

function stretch(n, a, b, c) {
  const at = 4 * n;
  shape[at] = scene.shape[at] * Math.exp(a); shape[at + 1] = scene.shape[at + 1] * Math.exp(b); shape[at + 2] = scene.shape[at + 2] * Math.exp(c);
}

// Counting sort, farthest first, by the bits of the depth: positive floats sort like their bits, and the bins are
// as fine near the camera as in the sky. Gaussians behind the near plane are left out.
function sorted([a, b, c, d]) {
  const count = scene.count, depth = new Float32Array(count), bits = new Int32Array(depth.buffer);
  let low = 0x7fffffff, high = 0, shown = 0;
  for (let n = 0; n < count; n++) {
    const z = a * place[4 * n] + b * place[4 * n + 1] + c * place[4 * n + 2] + d;
    depth[n] = z >= NEAR ? z : 0;
    if (z < NEAR || !(z < 1e10)) { bits[n] = 0; continue; }
    shown++;
    if (bits[n] < low) low = bits[n];
    if (bits[n] > high) high = bits[n];
  }
  let shift = 0;
  while ((high - low) >> shift >= BINS) shift++;
  scratch.fill(0);
  for (let n = 0; n < count; n++) if (bits[n]) scratch[(high - bits[n]) >> shift]++;
  for (let i = 0, sum = 0; i < BINS; i++) { const here = scratch[i]; scratch[i] = sum; sum += here; }
  const order = new Uint32Array(shown);
  for (let n = 0; n < count; n++) if (bits[n]) order[scratch[(high - bits[n]) >> shift]++] = n;
  return order;
}
