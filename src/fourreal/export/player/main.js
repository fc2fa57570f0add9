// The page: clock, buttons, and the loop that asks the worker and draws.
const $ = (id) => document.getElementById(id);
const settings = new URLSearchParams(location.hash.slice(1));
const number = (name) => (settings.has(name) && Number.isFinite(Number(settings.get(name))) ? Number(settings.get(name)) : null);

class Clock { // time in frames of the reference clip
  constructor(frames, fps) { Object.assign(this, { last: frames - 1, fps, time: 0, running: false, way: 1, mode: 0, pace: 0 }); }
  advance(seconds) {
    if (!this.running) return;
    this.time += this.way * seconds * this.fps * [1, .5, .25, 2][this.pace];
    if (this.time >= 0 && this.time <= this.last) return;
    if (this.mode === 0) { this.time = this.time < 0 ? -this.time : 2 * this.last - this.time; this.way = -this.way; }
    else if (this.mode === 1) this.time -= this.last + 1; // one frame's time is spent between the last and the first
    else this.running = false;
    this.time = Math.max(this.mode === 1 ? -1 : 0, Math.min(this.last, this.time));
  }
  get shown() { return Math.max(0, Math.min(this.last, this.time)); }
}

class Player {
  constructor(about, scene, motion) {
    this.about = about; this.canvas = $("view"); this.clock = new Clock(about.frames, about.fps); this.clock.time = about.start;
    this.painter = new Painter(this.canvas, scene, about.background);
    this.camera = new Camera(about.home, about.pivot, about.up);
    this.coverage = false; this.tour = null; this.flight = null; this.dirty = true; this.ease = 1; this.slow = 0;
    this.worker = new Worker(URL.createObjectURL(new Blob([$("sorter").textContent], { type: "text/javascript" })));
    this.worker.onerror = (event) => fail(`The sorting worker failed: ${event.message}`);
    this.worker.onmessage = ({ data }) => this.receive(data);
    const { place, turn, shape, count } = scene;
    this.worker.postMessage({ scene: { place, turn, shape, count }, motion });
    this.sent = 0; this.received = 0; this.asked = null; this.waiting = [];
    this.still = steer(this.canvas, this.camera, () => this.touched());
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => { this.painter.begin(); this.asked = null; this.dirty = true; });
    addEventListener("resize", () => (this.dirty = true));
    this.before = performance.now();
    requestAnimationFrame((now) => this.tick(now));
  }

  touched() { this.tour = null; this.flight = null; this.dirty = true; $("hint").style.opacity = 0; }

  tick(now) {
    const seconds = Math.min(.1, (now - this.before) / 1000);
    this.before = now;
    this.clock.advance(seconds);
    const gliding = this.still(seconds), flying = this.fly(now);
    this.watch(seconds, this.clock.running || gliding || flying);
    if (gliding || flying) this.dirty = true;
    this.ask();
    if (this.dirty) this.draw();
    this.show();
    requestAnimationFrame((next) => this.tick(next));
  }

  ask() { // one question to the worker at a time: the newest
    const wanted = { time: this.clock.shown, forward: this.camera.forward };
    if (this.sent !== this.received || JSON.stringify(wanted) === this.asked) return;
    this.asked = JSON.stringify(wanted);
    this.worker.postMessage({ ...wanted, id: ++this.sent });
  }

  receive(found) {
    this.received = found.id;
    this.painter.take(found);
    this.dirty = true; // drawn with the next frame, once
    $("veil").className = "gone";
    this.waiting = this.waiting.filter(({ first, done }) => !((first || this.settledNow) && (done(), true)));
  }

  get settledNow() { return this.sent === this.received && this.asked === JSON.stringify({ time: this.clock.shown, forward: this.camera.forward }); }

  settled(first = false) { // resolves when what is drawn is sorted for the present time and camera (or for any)
    return new Promise((done) => { if (this.settledNow) done(); else this.waiting.push({ first, done }); });
  }

  fly(now) { // along the clip's cameras, or over to another one
    if (this.tour) {
      const path = this.about.path, phase = (now - this.tour.begun) / this.tour.period, at = (path.length - 1) * (.5 - .5 * Math.cos(phase * 2 * Math.PI + this.tour.offset));
      const i = Math.min(Math.floor(at), path.length - 2);
      this.camera.set(between(path[i], path[i + 1], at - i, this.about.pivot));
      return true;
    }
    if (!this.flight) return false;
    const u = Math.min(1, (now - this.flight.begun) / 600), smooth = u * u * (3 - 2 * u);
    this.camera.set(u < 1 ? between(this.flight.from, this.flight.to, smooth, this.about.pivot) : this.flight.to);
    if (u === 1) this.flight = null;
    return true;
  }

  go(pose, at_once = false) {
    this.touched();
    if (at_once) this.camera.set(pose);
    else this.flight = { from: this.camera.pose, to: pose, begun: performance.now() };
  }

  ride(on) {
    this.touched();
    if (!on || this.about.path.length < 2) return;
    const path = this.about.path, near = path.map((p) => length(add(p.eye, this.camera.eye, -1))), i = near.indexOf(Math.min(...near));
    this.tour = { begun: performance.now(), period: 1000 * Math.max(8, this.about.arc / 7), offset: Math.acos(1 - 2 * i / (path.length - 1)) };
  }

  seek(time) { this.clock.time = Math.max(0, Math.min(this.clock.last, time)); }

  // Where frames come slowly, fewer pixels; never more than the fit could resolve.
  watch(seconds, busy) {
    if (!busy || settings.has("size")) return;
    this.slow += ((seconds > .028 ? 1 : seconds < .02 ? -1 : 0) - this.slow) * .06;
    if (this.slow > .6 && this.ease > .35) { this.ease *= .8; this.slow = 0; this.dirty = true; }
    if (this.slow < -.97 && this.ease < 1) { this.ease = Math.min(1, this.ease * 1.12); this.slow = 0; this.dirty = true; }
  }

  lens() { // fills the window, but crops no more than two fifths of a clip's side
    const [fx, fy, cx, cy] = this.camera.lens, [w, h] = this.about.size, fixed = (settings.get("size") || "").match(/^(\d+)x(\d+)$/);
    const [wide, high] = fixed ? [Number(fixed[1]), Number(fixed[2])] : [innerWidth, innerHeight];
    const [small, large] = [Math.min(wide / w, high / h), Math.max(wide / w, high / h)], fit = Math.min(large, 1.7 * small);
    const dense = fixed ? 1 : Math.min(Math.min(2, devicePixelRatio || 1) * this.ease, 6 / fit);
    const size = [wide, high].map((v) => Math.max(1, Math.round(v * dense))), scale = fit * size[0] / wide;
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    // The fit saw a low-pass of .3 of its own pixels; a larger picture widens it by two fifths of that: crisper, without gaps.
    return { lens: [fx * scale, fy * scale, size[0] / 2 + (cx - w / 2) * scale, size[1] / 2 + (cy - h / 2) * scale], blur: .3 + .12 * Math.max(0, scale * scale - 1) };
  }

  draw() {
    this.dirty = false;
    const { lens, blur } = this.lens();
    this.painter.draw(this.camera.view, lens, blur, this.coverage ? 1 : 0);
  }

  show() { // controls follow the state
    const state = [this.clock.shown, this.clock.running, Boolean(this.tour), this.coverage, this.camera.eye].join();
    if (state === this.shown) return;
    this.shown = state;
    const clock = this.clock, share = clock.last ? clock.shown / clock.last : 0, slider = $("time");
    document.body.classList.toggle("playing", clock.running);
    slider.value = share;
    slider.style.setProperty("--done", `calc(7.5px + (100% - 15px) * ${share})`);
    $("clock").value = `${(clock.shown / clock.fps).toFixed(1)} s`;
    $("tour").setAttribute("aria-pressed", Boolean(this.tour));
    $("coverage").setAttribute("aria-pressed", this.coverage);
    $("legend").hidden = !this.coverage;
    const seen = add(this.camera.eye, this.about.pivot, -1), known = this.about.path, away = (p) => Math.acos(Math.min(1, dot(unit(seen), unit(add(p.eye, this.about.pivot, -1)))));
    const near = known.map((p) => length(add(p.eye, this.camera.eye, -1))), best = Math.min(...near);
    const off = Math.min(...known.map(away)) * 180 / Math.PI;
    $("note").textContent = off > 20 ? `${Math.round(off)}° beyond what the clips show` : $("note").textContent;
    $("note").classList.toggle("shown", off > 20);
    document.querySelectorAll("#cameras button").forEach((dot) => dot.classList.toggle("here", length(add(dot.pose.eye, this.camera.eye, -1)) <= Math.max(best, .002 * this.camera.reach) && best < .08 * this.camera.reach));
  }
}

function fail(message) { $("message").textContent = message; $("veil").className = "failed"; console.error(message); }

function buttons(player) {
  const { about, clock } = player, press = {
    play: () => { if (clock.mode === 2 && clock.time >= clock.last) clock.time = 0; clock.running = !clock.running && clock.last > 0; },
    loop: () => { clock.mode = (clock.mode + 1) % 3; clock.way = 1; $("loop").textContent = ["there & back", "again", "once"][clock.mode]; },
    speed: () => { clock.pace = (clock.pace + 1) % 4; $("speed").textContent = ["1×", "½×", "¼×", "2×"][clock.pace]; },
    tour: () => player.ride(!player.tour),
    coverage: () => { player.coverage = about.coverage && !player.coverage; player.dirty = true; },
    reset: () => player.go(about.home),
    full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.()),
  };
  for (const [name, action] of Object.entries(press)) $(name).onclick = (event) => { action(); if (event.detail) $(name).blur(); }; // so that space plays
  $("time").oninput = (event) => { clock.running = false; player.seek(event.target.value * clock.last); };
  const step = (by) => () => { clock.running = false; player.seek(Math.round(clock.shown) + by); };
  const keys = { Space: press.play, KeyR: press.reset, KeyT: press.tour, KeyC: press.coverage, KeyF: press.full, KeyL: press.loop, ArrowRight: step(1), ArrowLeft: step(-1), KeyH: () => document.body.classList.toggle("bare") };
  addEventListener("keydown", (event) => {
    const pressed = event.code === "Space" && event.target.tagName === "BUTTON";
    if (event.ctrlKey || event.metaKey || event.altKey || pressed || !keys[event.code]) return;
    event.preventDefault();
    keys[event.code]();
  });
  $("bar").hidden = clock.last === 0;
  $("tour").hidden = about.path.length < 2;
  $("coverage").hidden = !about.coverage;
  $("instant").style.left = `calc(7.5px + (100% - 15px) * ${clock.last ? about.instant / clock.last : 0})`;
  for (const { label, poses } of about.groups) {
    const row = document.createElement("div"), dots = document.createElement("div");
    row.innerHTML = "<span></span>";
    row.firstChild.textContent = label;
    dots.className = "dots";
    poses.forEach((pose, i) => {
      const dot = Object.assign(document.createElement("button"), { title: poses.length > 1 ? `${label}, camera ${i}` : label, onclick: () => player.go(pose) });
      dot.setAttribute("aria-label", dot.title);
      dot.pose = pose;
      dots.append(dot);
    });
    row.append(dots);
    $("cameras").append(row);
  }
}

// #t=3&camera=freeze/4&az=30&el=10&zoom=0.8&play=0&tour=0&coverage=1&ui=0&size=640x360: a link to a view.
function obey(player) {
  const [group, i] = (settings.get("camera") || "").split("/"), found = player.about.groups.find((g) => g.name === group)?.poses[Number(i || 0)];
  if (found) player.camera.set(found);
  const degree = Math.PI / 180;
  player.camera.orbit((number("az") || 0) * degree, (number("el") || 0) * degree);
  if (number("zoom")) player.camera.zoom(number("zoom"));
  if (number("t") !== null) player.seek(number("t"));
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches, placed = ["camera", "az", "el", "zoom"].some((name) => settings.has(name));
  player.clock.running = player.clock.last > 0 && (settings.has("play") ? number("play") === 1 : !calm && !settings.has("t"));
  if (settings.has("tour") ? number("tour") === 1 : !calm && !placed) player.ride(true);
  player.coverage = player.about.coverage && number("coverage") === 1;
  if (number("ui") === 0) document.body.classList.add("bare");
  if (settings.has("size")) { const [, w, h] = settings.get("size").match(/^(\d+)x(\d+)$/) || []; if (w) Object.assign(player.canvas.style, { width: `${w}px`, height: `${h}px` }); }
}

window.ready = (async () => {
  const about = JSON.parse($("about").textContent), arrays = await unpack(about);
  const player = new Player(about, asScene(about, arrays), asMotion(about, arrays));
  buttons(player);
  obey(player);
  await player.settled(true);
  return (window.player = player);
})();
window.ready.catch((error) => fail(error.message));
