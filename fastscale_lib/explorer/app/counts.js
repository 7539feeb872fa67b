// The counts and predicted times of one base network under every strategy and scale, as the file brings them.

/**
 * @typedef {object} Timing Predicted times of all networks on one device.
 * @property {string} label The device and how it is used.
 * @property {string} note What the times are.
 * @property {Float32Array} ms Milliseconds a batch by network; NaN where nothing is predicted.
 * @property {Float32Array} error How far off each may be, as a fraction; larger beyond the fitted networks.
 */

/**
 * @typedef {object} Header What the file says of a base network beside the arrays.
 * @property {string} name
 * @property {number} resolution Side of the images in pixels.
 * @property {{flops: number, params: number, activations: number}} base Counts of the base network.
 * @property {string[]} rows Names of the strategies, in the order of the rows; an α of the slider is "α=0.25".
 * @property {number} stages Number of stages.
 * @property {number} networks Number of distinct networks.
 * @property {number} steps Scales of each row, from `first` on.
 * @property {number} first Exponent of two of the first scale.
 * @property {number} perOctave Steps from one scale to twice it.
 * @property {{label: string, note: string, arrays?: string}[]} timings Without arrays where they are yet to come.
 * @property {number} timeSteps Steps of a time's logarithm to base 2, which is what the arrays hold.
 * @property {number} timeOffset The step of 1 ms; step 0 is no time.
 * @property {number} errorSteps Steps of an error of 1.
 * @property {string} arrays The arrays, compressed by zlib, in base64; as those of each timing.
 */

/** @param {string} base64 @returns {Promise<ArrayBuffer>} */
async function inflated(base64) {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
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
    this.timings = header.timings.map(({ label, note }, i) => {
      const found = times[i];
      const steps = found ? new Uint16Array(found) : new Uint16Array(2 * networks);
      return {
        label,
        note,
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
    this.resolution = next(networks);
    this.depths = next(stages * networks);
    this.widths = next(stages * networks);
    this.index = next(rows.length * steps);
    this.rowOf = new Map(rows.map((name, row) => [name, row]));
    /** The rows of an α, in order; of a family of modules there are few. */
    this.alphas = rows.flatMap((name, row) => (name.startsWith("α=") ? [{ alpha: Number(name.slice(2)), row }] : [])).sort((a, b) => a.alpha - b.alpha);
    this.logs = this.flops.map(Math.log);
    this._reference = new Map();
    /** @type {Map<number, number[]>} */
    this._points = new Map();
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

  /** The step of a scale factor. @param {number} scale */
  step(scale) {
    return Math.round((Math.log2(scale) - this.header.first) * this.header.perOctave);
  }

  /** The row's network whose flops are nearest to these, as a ratio. @param {number} row @param {number} flops */
  nearest(row, flops) {
    const index = this.row(row);
    const wanted = Math.log(flops);
    let best = index[0];
    let off = Infinity;
    for (let step = 0; step < index.length; step++) {
      const away = Math.abs(this.logs[index[step]] - wanted);
      if (away < off) [best, off] = [index[step], away];
    }
    return best;
  }

  /**
   * Of each network, a quantity relative to width scaling at the network's own flops.
   *
   * Between two networks of width scaling the quantity is a power of the flops.
   * @param {ArrayLike<number>} values By network.
   * @returns {Float64Array} NaN where there is no value, or width scaling reaches no such flops.
   */
  relative(values) {
    const known = this._reference.get(values);
    if (known) return known;
    const points = this.points(/** @type {number} */ (this.rowOf.get("w")))
      .map((network) => [this.logs[network], Math.log(values[network])])
      .filter(([, y]) => Number.isFinite(y));
    const found = new Float64Array(this.flops.length).fill(NaN);
    for (let network = 0; network < found.length; network++) {
      const x = this.logs[network];
      let low = 0;
      let high = points.length - 1;
      if (high < 1 || x < points[0][0] || x > points[high][0]) continue;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (points[middle][0] <= x) low = middle;
        else high = middle;
      }
      const [x0, y0] = points[low];
      const [x1, y1] = points[high];
      const reference = x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y0;
      found[network] = values[network] / Math.exp(reference);
    }
    this._reference.set(values, found);
    return found;
  }

  /** Depth and width of each stage of a network. @param {number} network @returns {{depth: number, width: number}[]} */
  stages(network) {
    const { stages, networks } = this.header;
    return Array.from({ length: stages }, (_, stage) => ({
      depth: this.depths[stage * networks + network],
      width: this.widths[stage * networks + network],
    }));
  }
}
