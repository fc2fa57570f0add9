// Draws the Gaussians with WebGL2, as raster/ does: EWA projection, opacity-aware extent, alpha from 1/255 to 0.999.
const WIDE = 2048; // Gaussians in a row of the textures

const VERTEX = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D place, turn, shape, paint;
uniform mat4 view; uniform vec4 lens; uniform vec2 size; uniform float blur, byCoverage;
in vec2 corner; in uint index;
out vec2 spot; out vec4 tint;

vec3 ramp(float v) {
  vec3 c[5] = vec3[5](vec3(.70, .13, .17), vec3(.94, .65, .24), vec3(.96, .94, .75), vec3(.32, .72, .53), vec3(.11, .44, .72));
  float x = clamp(v, 0., 1.) * 4.; int i = int(min(floor(x), 3.));
  return mix(c[i], c[i + 1], x - float(i));
}

void main() {
  ivec2 at = ivec2(int(index) % ${WIDE}, int(index) / ${WIDE});
  vec4 q = normalize(texelFetch(turn, at, 0)), s = texelFetch(shape, at, 0), c = texelFetch(paint, at, 0);
  vec3 p = (view * vec4(texelFetch(place, at, 0).xyz, 1.)).xyz;
  gl_Position = vec4(0., 0., 2., 1.);
  float extent = min(3.33, sqrt(max(0., 2. * log(s.w * 255.))));
  if (p.z < .01 || s.w < 1. / 255.) return;
  float w = q.x, x = q.y, y = q.z, z = q.w;
  mat3 turned = mat3(
    1. - 2. * (y * y + z * z), 2. * (x * y + w * z), 2. * (x * z - w * y),
    2. * (x * y - w * z), 1. - 2. * (x * x + z * z), 2. * (y * z + w * x),
    2. * (x * z + w * y), 2. * (y * z - w * x), 1. - 2. * (x * x + y * y));
  mat3 m = mat3(view) * mat3(turned[0] * s.x, turned[1] * s.y, turned[2] * s.z);
  vec2 f = lens.xy, o = lens.zw, guard = .15 * size / f;
  vec2 ray = clamp(p.xy / p.z, -(o / f + guard), (size - o) / f + guard);
  vec3 jx = vec3(f.x, 0., -f.x * ray.x) / p.z, jy = vec3(0., f.y, -f.y * ray.y) / p.z;
  vec3 a = jx * m, b = jy * m;
  float xx = dot(a, a) + blur, yy = dot(b, b) + blur, xy = dot(a, b), det = xx * yy - xy * xy;
  if (!(det > 0.)) return;
  float mid = .5 * (xx + yy), far = mid + sqrt(max(0., .25 * (xx - yy) * (xx - yy) + xy * xy));
  vec2 axis = abs(xy) > 1e-6 * mid ? normalize(vec2(xy, far - xx)) : xx >= yy ? vec2(1., 0.) : vec2(0., 1.);
  vec2 middle = f * p.xy / p.z + o, reach = extent * sqrt(vec2(xx, yy));
  if (any(lessThan(middle + reach, vec2(0.))) || any(greaterThan(middle - reach, size))) return;
  spot = corner * extent;
  vec2 pixel = middle + axis * spot.x * sqrt(far) + vec2(-axis.y, axis.x) * spot.y * sqrt(det / far);
  tint = vec4(mix(c.rgb, ramp(c.a) * (.35 + .65 * dot(c.rgb, vec3(.3, .59, .11))), byCoverage), s.w);
  gl_Position = vec4(pixel.x / size.x * 2. - 1., 1. - pixel.y / size.y * 2., 0., 1.);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec2 spot; in vec4 tint; out vec4 color;
void main() {
  float alpha = min(.999, tint.a * exp(-.5 * dot(spot, spot)));
  if (alpha < 1. / 255.) discard;
  color = vec4(tint.rgb * alpha, alpha);
}`;

const WHOLE = `#version 300 es
in vec2 corner; void main() { gl_Position = vec4(corner, 0., 1.); }`;

// Over the background; a trace of noise, below what is seen, instead of bands in skies.
const FINISH = `#version 300 es
precision highp float;
uniform sampler2D drawn; uniform vec3 background; out vec4 color;
void main() {
  vec4 c = texelFetch(drawn, ivec2(gl_FragCoord.xy), 0);
  float noise = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(.06711056, .00583715)))) - .5;
  color = vec4(c.rgb + (1. - c.a) * background + noise / 255., 1.);
}`;

class Painter {
  constructor(canvas, scene, background) {
    const gl = (this.gl = canvas.getContext("webgl2", { alpha: false, antialias: false, powerPreference: "high-performance" }));
    if (!gl) throw new Error("This page draws with WebGL 2, which this browser does not offer. A current Chrome, Edge, Firefox or Safari does; hardware acceleration must be on.");
    this.canvas = canvas; this.scene = scene; this.background = background; this.count = 0;
    this.rows = Math.max(1, Math.ceil(scene.count / WIDE));
    if (this.rows > gl.getParameter(gl.MAX_TEXTURE_SIZE)) throw new Error(`${scene.count} Gaussians are more than this graphics card's textures can hold.`);
    this.begin();
  }

  begin() { // also after the browser took the graphics card away and gave it back
    const gl = this.gl, scene = this.scene;
    this.fine = Boolean(gl.getExtension("EXT_color_buffer_float") || gl.getExtension("EXT_color_buffer_half_float"));
    this.splats = this.program(VERTEX, FRAGMENT, ["place", "turn", "shape", "paint", "view", "lens", "size", "blur", "byCoverage"]);
    this.finish = this.program(WHOLE, FINISH, ["drawn", "background"]);
    this.textures = ["place", "turn", "shape"].map((name) => this.texture(scene[name], gl.RGBA32F, gl.FLOAT));
    this.textures.push(this.texture(scene.paint, gl.RGBA8, gl.UNSIGNED_BYTE));
    this.corners = this.buffer(new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]));
    this.indices = this.buffer(new Uint32Array(scene.count));
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    this.attribute(this.splats, "corner", this.corners);
    const index = gl.getAttribLocation(this.splats.program, "index");
    gl.bindBuffer(gl.ARRAY_BUFFER, this.indices);
    gl.enableVertexAttribArray(index);
    gl.vertexAttribIPointer(index, 1, gl.UNSIGNED_INT, 0, 0);
    gl.vertexAttribDivisor(index, 1);
    this.plain = gl.createVertexArray();
    gl.bindVertexArray(this.plain);
    this.attribute(this.finish, "corner", this.corners);
    this.drawn = gl.createTexture(); this.frame = gl.createFramebuffer(); this.drawnSize = "";
  }

  program(vertex, fragment, names) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader));
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program));
    return { program, at: Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)])) };
  }

  texture(values, format, type) {
    const gl = this.gl, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, WIDE, this.rows);
    const out = { texture, type, holds: new values.constructor(4 * WIDE * this.rows) };
    this.fill(out, values);
    return out;
  }

  fill(target, values) {
    const gl = this.gl;
    target.holds.set(values);
    gl.bindTexture(gl.TEXTURE_2D, target.texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, WIDE, this.rows, gl.RGBA, target.type, target.holds);
  }

  buffer(values) {
    const gl = this.gl, buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    return buffer;
  }

  attribute(of, name, buffer) {
    const gl = this.gl, at = gl.getAttribLocation(of.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, 2, gl.FLOAT, false, 0, 0);
  }

  take({ order, place, turn, shape }) { // what the worker found
    const gl = this.gl;
    [place, turn, shape].forEach((values, i) => values && this.fill(this.textures[i], values));
    gl.bindBuffer(gl.ARRAY_BUFFER, this.indices);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, order);
    this.count = order.length;
  }

  target(width, height) { // half floats: hundreds of thin layers would round away in bytes
    const gl = this.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    if (this.drawnSize === `${width}x${height}`) return;
    this.drawnSize = `${width}x${height}`;
    gl.bindTexture(gl.TEXTURE_2D, this.drawn);
    if (this.fine) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA16F, width, height, 0, gl.RGBA, gl.HALF_FLOAT, null);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.drawn, 0);
  }

  // view: world to camera, 4 x 4 by columns; lens: fx, fy, cx, cy; blur: variance of the low-pass; all in canvas pixels.
  draw(view, lens, blur, coverage) {
    const { gl, canvas: { width, height }, splats, finish } = this;
    this.target(width, height);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(splats.program);
    ["place", "turn", "shape", "paint"].forEach((name, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, this.textures[unit].texture);
      gl.uniform1i(splats.at[name], unit);
    });
    gl.uniformMatrix4fv(splats.at.view, false, view);
    gl.uniform4fv(splats.at.lens, lens);
    gl.uniform2f(splats.at.size, width, height);
    gl.uniform1f(splats.at.blur, blur);
    gl.uniform1f(splats.at.byCoverage, coverage);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.bindVertexArray(this.array);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
    gl.disable(gl.BLEND);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.useProgram(finish.program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.drawn);
    gl.uniform1i(finish.at.drawn, 0);
    gl.uniform3fv(finish.at.background, this.background);
    gl.bindVertexArray(this.plain);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}
