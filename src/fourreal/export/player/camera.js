// A free camera. A pose is { eye: [3], turn: wxyz of camera-to-world }, OpenCV axes: x right, y down, z forward.
const add = (a, b, s = 1) => a.map((v, i) => v + s * b[i]);
const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const length = (a) => Math.hypot(...a);
const unit = (a) => a.map((v) => v / (length(a) || 1));

function product([a, b, c, d], [w, x, y, z]) {
  return [a * w - b * x - c * y - d * z, a * x + b * w + c * z - d * y, a * y - b * z + c * w + d * x, a * z + b * y - c * x + d * w];
}

function rotation(axis, angle) {
  return [Math.cos(angle / 2), ...unit(axis).map((v) => v * Math.sin(angle / 2))];
}

function turned(q, v) {
  const [, x, y, z] = product(product(q, [0, ...v]), [q[0], -q[1], -q[2], -q[3]]);
  return [x, y, z];
}

function blend(a, b, u) { // slerp
  let cosine = dot(a, b);
  if (cosine < 0) { b = b.map((v) => -v); cosine = -cosine; }
  const angle = Math.acos(Math.min(1, cosine));
  if (angle < 1e-4) return unit(add(a.map((v) => v * (1 - u)), b, u));
  return unit(add(a.map((v) => v * Math.sin((1 - u) * angle)), b, Math.sin(u * angle)).map((v) => v / Math.sin(angle)));
}

// Between two poses round a pivot: direction, distance and rotation each on their own way, so that an arc stays an arc.
function between(a, b, u, pivot) {
  const from = add(a.eye, pivot, -1), to = add(b.eye, pivot, -1), [p, q] = [unit(from), unit(to)];
  const angle = Math.acos(Math.max(-1, Math.min(1, dot(p, q)))), reach = length(from) * (1 - u) + length(to) * u;
  let way = add(p.map((v) => v * (1 - u)), q, u);
  if (angle > 1e-3 && angle < 3.1) way = add(p.map((v) => v * Math.sin((1 - u) * angle)), q, Math.sin(u * angle));
  return { eye: add(pivot, unit(way), reach), turn: blend(a.turn, b.turn, u), lens: a.lens.map((v, i) => v * (1 - u) + b.lens[i] * u) };
}

class Camera {
  constructor(pose, pivot, up) { this.home = pose; this.pivot0 = pivot; this.up = up; this.set(pose); }

  set(pose) { this.eye = [...pose.eye]; this.turn = [...pose.turn]; this.lens = [...pose.lens]; this.pivot = [...this.pivot0]; }

  get pose() { return { eye: this.eye, turn: this.turn, lens: this.lens }; }

  get reach() { return length(add(this.eye, this.pivot, -1)); }

  get elevation() { return Math.asin(Math.max(-1, Math.min(1, dot(unit(add(this.eye, this.pivot, -1)), this.up)))); }

  orbit(right, upwards) { // radians; the camera goes to its right and up, and keeps the pivot where it is in the picture
    const limit = 1.5, elevation = this.elevation;
    upwards = Math.max(-limit, Math.min(limit, elevation + upwards)) - elevation;
    this.spin(rotation(this.up, right));
    this.spin(rotation(turned(this.turn, [1, 0, 0]), -upwards));
  }

  spin(q) {
    this.eye = add(this.pivot, turned(q, add(this.eye, this.pivot, -1)));
    this.turn = unit(product(q, this.turn));
  }

  pan(x, y) { // in units of the distance to the pivot
    const step = turned(this.turn, [x * this.reach, y * this.reach, 0]);
    this.eye = add(this.eye, step); this.pivot = add(this.pivot, step);
  }

  walk(right, forward) {
    const step = turned(this.turn, [right * this.reach, 0, forward * this.reach]);
    this.eye = add(this.eye, step); this.pivot = add(this.pivot, step);
  }

  zoom(factor) {
    const reach = Math.max(length(add(this.home.eye, this.pivot0, -1)) * .02, this.reach * factor);
    this.eye = add(this.pivot, unit(add(this.eye, this.pivot, -1)), reach);
  }

  get view() { // world to camera, by columns
    const rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((axis) => turned(this.turn, axis)), shift = rows.map((row) => -dot(row, this.eye));
    return new Float32Array([rows[0][0], rows[1][0], rows[2][0], 0, rows[0][1], rows[1][1], rows[2][1], 0, rows[0][2], rows[1][2], rows[2][2], 0, ...shift, 1]);
  }

  get forward() { const axis = turned(this.turn, [0, 0, 1]); return [...axis, -dot(axis, this.eye)]; }
}

// Mouse, touch, wheel and keys; `touched` is called at each change by hand.
function steer(canvas, camera, touched) {
  const fingers = new Map(), held = new Set();
  let glide = [0, 0], moved = 0;
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    glide = [0, 0];
    canvas.classList.add("dragging");
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY], step = [now[0] - before[0], now[1] - before[1]], side = Math.min(innerWidth, innerHeight);
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      camera.zoom(Math.hypot(before[0] - other[0], before[1] - other[1]) / Math.max(1, Math.hypot(now[0] - other[0], now[1] - other[1])));
      camera.pan(-step[0] / side / 2, -step[1] / side / 2);
    } else if (event.buttons & 2 || event.buttons & 4 || event.shiftKey) camera.pan(-step[0] / side, -step[1] / side);
    else {
      const turn = [-step[0] / side * 2.6, step[1] / side * 2.6];
      camera.orbit(...turn);
      glide = turn; moved = performance.now();
    }
    fingers.set(event.pointerId, now);
    touched();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => {
    fingers.delete(event.pointerId);
    if (performance.now() - moved > 60) glide = [0, 0];
    if (!fingers.size) canvas.classList.remove("dragging");
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    camera.zoom(Math.exp(Math.max(-.4, Math.min(.4, event.deltaY * (event.deltaMode ? .04 : .0012)))));
    touched();
  }, { passive: false });
  addEventListener("keydown", (event) => { if (!event.ctrlKey && !event.metaKey && !event.altKey) held.add(event.code); });
  addEventListener("keyup", (event) => held.delete(event.code));
  addEventListener("blur", () => held.clear());
  return (seconds) => { // what goes on by itself: gliding out, walking while a key is held
    const key = (a, b) => (held.has(a) ? 1 : 0) - (held.has(b) ? 1 : 0), right = key("KeyD", "KeyA"), forward = key("KeyW", "KeyS");
    if (right || forward) { camera.walk(right * seconds * .5, forward * seconds * .5); touched(); }
    if (fingers.size || Math.hypot(...glide) < 2e-4) return Boolean(right || forward);
    camera.orbit(...glide);
    glide = glide.map((v) => v * Math.exp(-6 * seconds));
    return true;
  };
}
