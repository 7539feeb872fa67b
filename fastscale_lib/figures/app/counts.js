// The counts and predicted times of one base network under every strategy and scale, as the file brings them.

/**
 * @typedef {object} Timing Predicted times of all networks on one device.
 * @property {string} label The device and how it is used.
 * @property {string} note What the times are.
 * @property {boolean} predicted Whether there is a time of any network.
 * @property {boolean} awaited Whether the predicted times are yet to come.
 * @property {Float32Array} ms Milliseconds a batch by network; NaN where nothing is predicted.
 * @property {Float32Array} error How far off each may be, as a fraction; larger beyond the fitted networks.
 */

/**
 * @typedef {object} Timm The line of timm that makes a network, or why there is none.
 * @property {string} [template] With the names of sizes in braces.
 * @property {number} [expansion] How many times timm's width of a stage is ours.
 * @property {number} [bottleneck] A block's inner width, as a part of the stage's.
 * @property {string} [why]
 */

/**
 * @typedef {object} Header What the file says of a base network beside the arrays.
 * @property {string} name
 * @property {string} resolution Side of the images in pixels, or height×width.
 * @property {{flops: number, params: number, activations: number}} base Counts of the base network.
 * @property {string[]} rows Names of the strategies, in the order of the rows; an α of the slider is "α=0.25".
 * @property {{params: string[], activations: string[]}} [laws] By which each count grows, by row: "s^0.845".
 * @property {number} stages Number of stages; 0 of what is not described.
 * @property {number} networks Number of distinct networks.
 * @property {number} steps Scales of each row, from `first` on.
 * @property {number} first Exponent of two of the first scale.
 * @property {number} perOctave Steps from one scale to twice it.
 * @property {number[][]} [counted] The steps of each row that were counted, where others stand for their nearest.
 * @property {number[]} [scales] The scale of each step, where they are not evenly spaced.
 * @property {{label: string, note: string, arrays?: string}[]} timings Without arrays where they are yet to come.
 * @property {number} timeSteps Steps of a time's logarithm to base 2, which is what the arrays hold.
 * @property {number} timeOffset The step of 1 ms; step 0 is no time.
 * @property {number} errorSteps Steps of an error of 1.
 * @property {string[]} [yaml] The base network's YAML without its name, cut where the sizes stand.
 * @property {Timm} [timm] How timm makes what is scaled from it.
 * @property {import("./state.js").Point[]} [measured] Its measured times.
 * @property {string} arrays The arrays, as `inflated` reads them; as those of each timing.
 */

/**
 * The values of 16 bits in a text: compressed, the low bytes of what each adds to the one before, then the high ones.
 * @param {string} base64 @returns {Promise<ArrayBuffer>}
 */
async function inflated(base64) {
  const packed = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const values = new Uint16Array(bytes.length / 2);
  let value = 0;
  for (let i = 0; i < values.length; i++) {
    value = (value + bytes[i] + 256 * bytes[values.length + i]) & 0xffff;
    values[i] = value;
  }
  return values.buffer;
}

/** @typedef {{id: string, xs: number[], ys: number[], ends?: number[]}} Curve The id differs where the points do. */

let made = 0;

/**
 * A quantity between points, where it is a power of x from each to the next; NaN outside of them.
 * @param {[number, number][]} points By x. @param {number} beyond How far, as a ratio, the last powers go on.
 * @returns {(x: number) => number}
 */
export function powerLaw(points, beyond = 1) {
  const margin = Math.log(beyond);
  const known = points.filter(([, y]) => y > 0).map(([x, y]) => [Math.log(x), Math.log(y)]);
  return (at) => {
    const x = Math.log(at);
    let low = 0;
    let high = known.length - 1;
    if (high < 1 || x < known[0][0] - margin || x > known[high][0] + margin) return NaN;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (known[middle][0] <= x) low = middle;
      else high = middle;
    }
    const [[x0, y0], [x1, y1]] = [known[low], known[high]];
    return Math.exp(x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y0);
  };
}

export class Counts {
  /** @param {Header} header @returns {Promise<Counts>} */
  static async read(header) {
    const times = header.timings.map((each) => (each.arrays ? inflated(each.arrays) : null));
    return new Counts(header, await inflated(header.arrays), await Promise.all(times));
  }

  /** @param {Header} header @param {ArrayBuffer} buffer @param {(ArrayBuffer | null)[]} times */
  constructor(header, buffer, times) {
    const { networks, stages, rows, steps } = header;
    let at = 0;
    const next = (/** @type {number} */ size) => {
      const found = new Uint16Array(buffer, at, size);
      at += found.byteLength;
      return found;
    };
    /** @type {Timing[]} */
    this.timings = header.timings.map(({ label, note, arrays }, i) => {
      const found = times[i];
      const steps = found ? new Uint16Array(found) : new Uint16Array(2 * networks);
      return {
        label,
        note,
        awaited: arrays === undefined && note !== "measured",
        predicted: steps.subarray(0, networks).some(Boolean),
        ms: Float32Array.from(steps.subarray(0, networks), (step) => (step ? 2 ** ((step - header.timeOffset) / header.timeSteps) : NaN)),
        error: Float32Array.from(steps.subarray(networks), (step) => step / header.errorSteps),
      };
    });
    // A count is an integer of up to 53 bits, in four planes of 16: they compress to half of what doubles would.
    const count = () => {
      const planes = next(4 * networks);
      const values = new Float64Array(networks);
      for (let i = 0; i < networks; i++)
        values[i] = planes[i] + 2 ** 16 * planes[networks + i] + 2 ** 32 * planes[2 * networks + i] + 2 ** 48 * planes[3 * networks + i];
      return values;
    };
    this.header = header;
    this.flops = count();
    this.params = count();
    this.activations = count();
    this.resolution = next(networks); // height of the images, and width
    this.across = next(networks);
    this.stem = next(networks); // 0 of what is not described, as the head
    this.depths = next(stages * networks);
    this.widths = next(stages * networks);
    this.groups = next(stages * networks);
    this.head = next(networks);
    this.index = next(rows.length * steps);
    this.rowOf = new Map(rows.map((name, row) => [name, row]));
    /** The rows of an α, in order; of a family of modules there are few. */
    this.alphas = rows.flatMap((name, row) => (name.startsWith("α=") ? [{ alpha: Number(name.slice(2)), row }] : [])).sort((a, b) => a.alpha - b.alpha);
    this.logs = this.flops.map(Math.log);
    /** @type {Map<ArrayLike<number>, Float64Array>} */
    this._relative = new Map();
    /** @type {Map<ArrayLike<number>, (flops: number) => number>} */
    this._references = new Map();
    /** @type {Map<number, number[]>} */
    this._points = new Map();
    /** @type {Map<ArrayLike<number>, Curve[]>} */
    this._curves = new Map();
  }

  /** The row of an α that is nearest to this one. @param {number} alpha */
  nearAlpha(alpha) {
    return this.alphas.reduce((best, each) => (Math.abs(each.alpha - alpha) < Math.abs(best.alpha - alpha) ? each : best));
  }

  /** Whether an α has a row of its own. @param {number} alpha */
  hasAlpha(alpha) {
    return Math.abs(this.nearAlpha(alpha).alpha - alpha) < 1e-6;
  }

  /** The networks of a row, by step. @param {number} row */
  row(row) {
    return this.index.subarray(row * this.header.steps, (row + 1) * this.header.steps);
  }

  /** The distinct networks of a row, by their flops. @param {number} row */
  points(row) {
    let found = this._points.get(row);
    if (!found) this._points.set(row, (found = [...new Set(this.row(row))].sort((a, b) => this.flops[a] - this.flops[b])));
    return found;
  }

  /** The scale factor of a step. @param {number} step */
  scale(step) {
    return 2 ** (this.header.first + step / this.header.perOctave);
  }

  /** The scale factor that a row's network at a step was scaled by. @param {number} step */
  scaleOf(step) {
    return this.header.scales?.[step] ?? this.scale(step);
  }

  /** The step of a scale factor. @param {number} scale */
  step(scale) {
    return Math.round((Math.log2(scale) - this.header.first) * this.header.perOctave);
  }

  /** The row's network whose flops are nearest to these, as a ratio. @param {number} row @param {number} flops */
  nearest(row, flops) {
    const points = this.points(row);
    const wanted = Math.log(flops);
    let low = 0;
    let high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.logs[points[middle]] <= wanted) low = middle;
      else high = middle;
    }
    return Math.abs(this.logs[points[high]] - wanted) < Math.abs(this.logs[points[low]] - wanted) ? points[high] : points[low];
  }

  /**
   * A quantity of a row's networks over flops, made once.
   * @param {number} row @param {ArrayLike<number>} values By network. @returns {Curve}
   */
  curve(row, values) {
    let curves = this._curves.get(values);
    if (!curves) this._curves.set(values, (curves = []));
    if (!curves[row]) {
      const points = this.points(row);
      curves[row] = { id: String(++made), xs: points.map((each) => this.flops[each] / this.header.base.flops), ys: points.map((each) => values[each]) };
    }
    return curves[row];
  }

  /**
   * Of each network, a quantity relative to width scaling at the network's own flops.
   * @param {ArrayLike<number>} values By network.
   * @returns {Float64Array} NaN where there is no value, or width scaling reaches no such flops.
   */
  relative(values) {
    let found = this._relative.get(values);
    if (!found) {
      const reference = this.reference(values);
      found = Float64Array.from(this.flops, (flops, network) => values[network] / reference(flops));
      this._relative.set(values, found);
    }
    return found;
  }

  /** What width scaling has of a quantity, by flops. @param {ArrayLike<number>} values By network. */
  reference(values) {
    let found = this._references.get(values);
    if (!found) this._references.set(values, (found = powerLaw(this.points(/** @type {number} */ (this.rowOf.get("w"))).map((network) => [this.flops[network], values[network]]))));
    return found;
  }

  /** Sides of a network's images in pixels: "224", or height×width. @param {number} network */
  side(network) {
    const [height, across] = [this.resolution[network], this.across[network]];
    return height === across ? String(height) : `${height}×${across}`;
  }

  /** Depth, width and group width of each stage of a network. @param {number} network */
  stages(network) {
    const { stages, networks } = this.header;
    return Array.from({ length: stages }, (_, stage) => {
      const at = stage * networks + network;
      return { depth: this.depths[at], width: this.widths[at], group: this.groups[at] };
    });
  }
}
