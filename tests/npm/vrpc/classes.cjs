// What the agent of npm's vrpc offers, the same as tests/support/vrpc_classes.py; the package reads the JSDoc in here.
const { EventEmitter } = require("node:events");
const { setTimeout: pass } = require("node:timers/promises");

/** Raises when a pressure is too much for a press. */
const checked = (pressure) => {
  if (pressure > 100) throw new Error(`a pressure of ${pressure} bar is too much`);
  return pressure;
};

class Press extends EventEmitter {
  /**
   * A press, which counts its strokes
   * @param {number} [pressure=10] Pressure in bar, 100 at most
   */
  constructor(pressure = 10) {
    super();
    this._pressure = checked(pressure);
    this._strokes = 0;
  }

  /**
   * Adds two numbers
   * @param {number} a First number
   * @param {number} b Second number
   * @returns {number} The sum
   */
  static add(a, b) {
    return a + b;
  }

  /**
   * Gives back what it gets
   * @param {any} [value=null] Any JSON
   * @returns {any} The same
   */
  static echo(value = null) {
    return value;
  }

  /**
   * Fails at once
   * @param {string} message What is said about it
   */
  static fail(message) {
    throw new Error(message);
  }

  /**
   * Promises a value
   * @param {any} value Any JSON
   * @param {number} [milliseconds=10] How long it takes
   * @returns {any} The same
   */
  static async later(value, milliseconds = 10) {
    await pass(milliseconds);
    return value;
  }

  /**
   * Breaks a promise
   * @param {string} message What is said about it
   * @param {number} [milliseconds=10] How long it takes
   */
  static async refuse(message, milliseconds = 10) {
    await pass(milliseconds);
    throw new Error(message);
  }

  /**
   * Promises what never comes
   */
  static never() {
    return new Promise(() => {});
  }

  /**
   * Does nothing else for a while, and lets nobody else do anything
   * @param {number} milliseconds How long it takes
   * @returns {number} The same
   */
  static block(milliseconds) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    return milliseconds;
  }

  /**
   * Gives a text of a length
   * @param {number} length Number of characters
   * @returns {string} So many times the letter x
   */
  static text(length) {
    return "x".repeat(length);
  }

  /**
   * Reports once, and says when it has
   * @param {any} value What is reported
   * @param {function} report Who is told
   * @returns {boolean} Always true
   */
  static report(value, report) {
    report(value);
    return true;
  }

  /**
   * Makes strokes, each of which is an event "stroke" with its number and its force
   * @param {number} [force=1] Force in kN
   * @returns {number} How many there were so far
   */
  strike(force = 1) {
    this._strokes += 1;
    this.emit("stroke", this._strokes, force);
    return this._strokes;
  }

  /**
   * Returns the number of strokes
   * @returns {number} How many there were so far
   */
  strokes() {
    return this._strokes;
  }

  /**
   * Returns the pressure
   * @returns {number} Pressure in bar
   */
  pressure() {
    return this._pressure;
  }

  /**
   * Changes the pressure
   * @param {number} pressure Pressure in bar, 100 at most
   * @returns {number} Pressure in bar
   */
  adjust(pressure) {
    this._pressure = checked(pressure);
    return this._pressure;
  }

  /**
   * Promises the pressure
   * @param {number} [milliseconds=10] How long it takes
   * @returns {number} Pressure in bar
   */
  async settle(milliseconds = 10) {
    await pass(milliseconds);
    return this._pressure;
  }
}

// Nothing of it is documented.
class Lamp {
  static colours() {
    return ["red", "green"];
  }

  shine(colour) {
    return `shines ${colour}`;
  }
}

module.exports = { Press, Lamp };
