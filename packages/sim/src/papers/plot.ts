/**
 * Line charts as SVG text: what an experiment found, drawn with no browser.
 *
 * Invariants
 *  1. The same chart gives the same text, on every machine: no clock, no chance, no fonts measured.
 *  2. Every line is named beside its end, so that nobody has to match colours; colours differ for the colour-blind too.
 *
 * Scales and shapes are d3's; axes, legend and the document are here.
 */

import { scaleLinear, scaleLog } from 'd3-scale';
import { area, line } from 'd3-shape';

export interface Point {
  readonly x: number;
  readonly y: number;
  /** The spread about `y`, where there is one. */
  readonly low?: number;
  readonly high?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** `dots`: marks without a line, for figures to compare with. @default 'line' */
  readonly mark?: 'line' | 'dots' | 'dashes';
  /** Index of the colour. @default the index of the series */
  readonly colour?: number;
}

export interface Axis {
  readonly label: string;
  /** @default 'linear' */
  readonly scale?: 'linear' | 'log';
  /** @default the extent of the points; for a linear y axis from 0 */
  readonly domain?: readonly [number, number];
  /** Tick only whole numbers. @default false */
  readonly whole?: boolean;
}

export interface Chart {
  readonly title: string;
  /** A second, smaller line. */
  readonly subtitle?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

const width = 720;
const height = 400;
const margin = { top: 62, right: 150, bottom: 48, left: 76 };
/** Okabe and Ito 2008, without their yellow, which is too pale for a line. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'];
const LABEL_HEIGHT = 14;

/** @returns a whole SVG document */
export function drawChart({ title, subtitle, x, y, series }: Chart): string {
  const points = series.flatMap((each) => each.points);
  const toX = scaleOf(x, extent(points.map((point) => point.x)), [margin.left, width - margin.right]);
  const ys = points.flatMap(({ y: value, low = value, high = value }) => [low, value, high]);
  const toY = scaleOf(y, y.scale === 'log' ? extent(ys) : extent([0, ...ys]), [height - margin.bottom, margin.top]);
  const body = [
    text({ x: margin.left, y: 24, size: 15, weight: 600 }, title),
    ...(subtitle === undefined ? [] : [text({ x: margin.left, y: 44, size: 12, fill: '#555' }, subtitle)]),
    ...xAxis(x, toX),
    ...yAxis(y, toY),
    ...series.flatMap((each, index) => drawSeries(each, colourOf(each, index), toX, toY)),
    ...legend(series, toY),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

interface Scale {
  (value: number): number;
  ticks(count: number): number[];
}

function scaleOf(axis: Axis, found: readonly [number, number], range: readonly [number, number]): Scale {
  const domain = axis.domain ?? found;
  if (axis.scale === 'log') return scaleLog().domain(domain).range(range).nice();
  const linear = scaleLinear().domain(domain).range(range);
  return axis.domain === undefined ? linear.nice() : linear;
}

function extent(values: readonly number[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function xAxis(axis: Axis, toX: Scale): string[] {
  const bottom = height - margin.bottom;
  const middle = (margin.left + width - margin.right) / 2;
  return [
    `<line x1="${margin.left}" x2="${width - margin.right}" y1="${bottom}" y2="${bottom}" stroke="#333"/>`,
    ...ticksOf(axis, toX).flatMap((tick) => [
      `<line x1="${at(toX(tick))}" x2="${at(toX(tick))}" y1="${bottom}" y2="${bottom + 5}" stroke="#333"/>`,
      text({ x: toX(tick), y: bottom + 18, size: 11, anchor: 'middle' }, figure(tick)),
    ]),
    text({ x: middle, y: height - 10, size: 12, anchor: 'middle', fill: '#333' }, axis.label),
  ];
}

function yAxis(axis: Axis, toY: Scale): string[] {
  const middle = (margin.top + height - margin.bottom) / 2;
  return [
    ...ticksOf(axis, toY).flatMap((tick) => [
      `<line x1="${margin.left}" x2="${width - margin.right}" y1="${at(toY(tick))}" y2="${at(toY(tick))}" stroke="#e5e5e5"/>`,
      text({ x: margin.left - 8, y: toY(tick) + 4, size: 11, anchor: 'end' }, figure(tick)),
    ]),
    `<text transform="translate(16 ${middle}) rotate(-90)" font-size="12" text-anchor="middle" fill="#333">${escape(axis.label)}</text>`,
  ];
}

/** Of a logarithmic axis the powers of ten, and their halves and fifths where those are few. */
function ticksOf(axis: Axis, scale: Scale): number[] {
  const ticks = scale.ticks(6);
  if (axis.scale !== 'log') return axis.whole === true ? ticks.filter(Number.isInteger) : ticks;
  const leading = (value: number): number => Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
  const powers = ticks.filter((tick) => leading(tick) === 1);
  return powers.length > 2 ? powers : ticks.filter((tick) => [1, 2, 5].includes(leading(tick)));
}

function drawSeries(series: Series, colour: string, toX: Scale, toY: Scale): string[] {
  const { points, mark = 'line' } = series;
  if (mark === 'dots')
    return points.map(
      (point) =>
        `<circle cx="${at(toX(point.x))}" cy="${at(toY(point.y))}" r="4.5" fill="#fff" stroke="${colour}" stroke-width="2"/>`,
    );
  const banded = points.filter(({ low, high }) => low !== undefined && high !== undefined);
  const band = area<Point>()
    .x((point) => toX(point.x))
    .y0((point) => toY(point.low as number))
    .y1((point) => toY(point.high as number))
    .digits(1)(banded);
  const path = line<Point>()
    .x((point) => toX(point.x))
    .y((point) => toY(point.y))
    .digits(1)(points);
  const dashes = mark === 'dashes' ? ' stroke-dasharray="6 4"' : '';
  return [
    ...(banded.length > 0 ? [`<path d="${band}" fill="${colour}" fill-opacity="0.18"/>`] : []),
    `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`,
  ];
}

/** Names at the right, each as near to the end of its line as the others leave room. */
function legend(series: readonly Series[], toY: Scale): string[] {
  const labels = series
    .map((each, index) => ({ name: each.name, colour: colourOf(each, index), y: toY(each.points.at(-1)?.y ?? 0) }))
    .toSorted((a, b) => a.y - b.y);
  const lowest = height - margin.bottom + 4;
  let free = margin.top;
  for (const [index, label] of labels.entries()) {
    const room = lowest - LABEL_HEIGHT * (labels.length - 1 - index);
    label.y = Math.min(room, Math.max(free, label.y + 4));
    free = label.y + LABEL_HEIGHT;
  }
  return labels.map(({ name, colour, y }) => text({ x: width - margin.right + 8, y, size: 12, fill: colour }, name));
}

function colourOf(series: Series, index: number): string {
  return colours[(series.colour ?? index) % colours.length] as string;
}

interface TextStyle {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly weight?: number;
  readonly anchor?: 'middle' | 'end';
  readonly fill?: string;
}

function text({ x, y, size, weight, anchor, fill = '#333' }: TextStyle, content: string): string {
  const style = `${weight === undefined ? '' : ` font-weight="${weight}"`}${anchor === undefined ? '' : ` text-anchor="${anchor}"`}`;
  return `<text x="${at(x)}" y="${at(y)}" font-size="${size}" fill="${fill}"${style}>${escape(content)}</text>`;
}

/** A coordinate: a tenth of a pixel is enough. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function figure(value: number): string {
  return Math.abs(value) >= 1000 ? value.toLocaleString('en') : String(Number(value.toPrecision(6)));
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
