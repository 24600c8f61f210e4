// The pad: strokes are polylines in a 0…1 square, drawn anew for every size, density and theme. What is sent is another
// drawing of them, of fixed size and colours, so that the answer depends on none of these.

const PEN = 0.08; // of the side
const SENT_SIDE = 280; // pixels
const FINENESS = 1e4; // coordinates are rounded to 1/FINENESS, below what any screen shows

export class Pad {
  strokes = [];
  frame = null; // the redraw that waits for the next frame
  pointer = null; // the id of the finger, pen or mouse that draws the stroke
  boxes = []; // parts of the sent picture to show, `{ x, y, width, height }` in its pixels
  picture = null; // { blob, bitmap }: a picture in place of strokes; bitmap is null if the browser cannot show it

  /** Draw on `canvas`; call `changed()` after every stroke, point, undo, clear and picture. */
  constructor(canvas, changed) {
    Object.assign(this, { canvas, changed });
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#extend(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.#end(event));
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(canvas);
    this.restyled = () => this.redraw();
    window.addEventListener("themechange", this.restyled);
  }

  get empty() {
    return !this.picture && this.strokes.length === 0;
  }

  /** Take the last stroke, or the picture, back. */
  undo() {
    if (this.empty) return;
    if (!this.picture) this.strokes.pop();
    this.#become(this.strokes, null);
  }

  clear() {
    if (!this.empty) this.#become([], null);
  }

  /** Show a picture in place of what was drawn; it is sent as it is. */
  async show(blob) {
    this.#become([], { blob, bitmap: await createImageBitmap(blob).catch(() => null) });
  }

  /** Return what is to be sent: the picture, or the strokes as a PNG image. */
  async image() {
    if (this.picture) return this.picture.blob;
    const canvas = Object.assign(document.createElement("canvas"), { width: SENT_SIDE, height: SENT_SIDE });
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, SENT_SIDE, SENT_SIDE);
    ink(context, this.strokes, SENT_SIDE, "black");
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  /** Return what is drawn, to draw it again by `restore`. */
  get drawn() {
    return { strokes: this.strokes, picture: this.picture };
  }

  restore({ strokes, picture }) {
    if (strokes.length || picture) this.#become(strokes, picture);
  }

  /** Show boxes on the picture, with their numbers if there are several, until it changes. */
  mark(boxes) {
    this.boxes = boxes;
    this.redraw();
  }

  redraw() {
    this.frame = null;
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    if (this.canvas.width !== side) Object.assign(this.canvas, { width: side, height: side });
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    const bitmap = this.picture?.bitmap;
    const sent = bitmap ?? { width: SENT_SIDE, height: SENT_SIDE };
    const scale = side / Math.max(sent.width, sent.height);
    const [left, top] = [(side - sent.width * scale) / 2, (side - sent.height * scale) / 2];
    if (bitmap) {
      context.imageSmoothingEnabled = scale < 1;
      context.drawImage(bitmap, left, top, sent.width * scale, sent.height * scale);
    }
    ink(context, this.strokes, side, getComputedStyle(this.canvas).color);
    if (bitmap || !this.picture) outline(context, this.boxes, scale, left, top);
  }

  close() {
    this.observer.disconnect();
    window.removeEventListener("themechange", this.restyled);
  }

  #become(strokes, picture) {
    Object.assign(this, { strokes, picture, stroke: null, boxes: [] });
    this.redraw();
    this.changed();
  }

  #begin(event) {
    if (!event.isPrimary || event.button !== 0 || (this.stroke && event.pointerId !== this.pointer)) return;
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    const stroke = [this.#at(event)];
    this.#become([...this.strokes, stroke], null);
    this.stroke = stroke;
  }

  #extend(event) {
    if (!this.stroke || event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? []; // absent where the page is not a secure context
    this.stroke.push(...(events.length ? events : [event]).map((each) => this.#at(each)));
    this.boxes = [];
    this.frame ??= requestAnimationFrame(() => this.redraw());
    this.changed();
  }

  #end({ pointerId }) {
    if (pointerId === this.pointer) this.stroke = null; // and not by another finger, or the palm
  }

  #at({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const share = (value) => Math.round(Math.min(1, Math.max(0, value)) * FINENESS) / FINENESS;
    return [share((clientX - box.left) / box.width), share((clientY - box.top) / box.height)];
  }
}

/** Draw boxes, dark on light so that they show on any ground. */
function outline(context, boxes, scale, left, top) {
  const wide = 2 * devicePixelRatio;
  context.font = `bold ${14 * devicePixelRatio}px sans-serif`;
  context.lineJoin = "miter";
  for (const [at, { x, y, width, height }] of boxes.entries()) {
    const [x0, y0] = [left + x * scale - wide, top + y * scale - wide];
    const number = boxes.length > 1 ? String(at + 1) : "";
    for (const [lineWidth, colour] of [[3 * wide, "white"], [wide, "#005f99"]]) {
      Object.assign(context, { lineWidth, strokeStyle: colour, fillStyle: colour });
      context.strokeRect(x0, y0, width * scale + 2 * wide, height * scale + 2 * wide);
      if (colour === "white") context.strokeText(number, x0, y0 - wide);
      else context.fillText(number, x0, y0 - wide);
    }
  }
}

/** Draw strokes with a round pen, through the middles between their points so that corners are smooth. */
function ink(context, strokes, side, colour) {
  Object.assign(context, { lineWidth: PEN * side, lineCap: "round", lineJoin: "round", strokeStyle: colour });
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side]);
    const last = points.at(-1);
    context.beginPath();
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [a, b] = [points[i], points[i + 1]];
      context.quadraticCurveTo(...a, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    }
    context.lineTo(last[0] + (points.length === 1 ? 0.01 : 0), last[1]); // a line of no length would draw no dot
    context.stroke();
  }
}
