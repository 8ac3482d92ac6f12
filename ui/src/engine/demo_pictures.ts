// Painted people in painted rooms, in place of cameras.

import { hue } from '../i18n/names';
import { sharerOf, type PictureListener, type TileId } from './engine';

const WIDTH = 1280;
const HEIGHT = 720;

export class DemoPainter {
  private readonly context: CanvasRenderingContext2D | null;
  private readonly hue: number;
  private readonly phase: number;
  private readonly screen: boolean;
  private request = 0;
  private unseen = false;

  constructor(
    canvas: HTMLCanvasElement,
    tile: TileId,
    private readonly listener: PictureListener,
  ) {
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    this.context = canvas.getContext('2d', { alpha: false });
    this.screen = sharerOf(tile) !== null;
    this.hue = tile === 'own' ? 32 : hue(tile) + 140;
    this.phase = this.hue / 20;
    this.draw(performance.now());
    // Not from within the caller's own set-up: real pictures never come that early either.
    queueMicrotask(() => this.request !== 0 && listener({ width: WIDTH, height: HEIGHT }));
  }

  stop(): void {
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.listener(null);
  }

  /** Whether anybody can see it. */
  seen(seen: boolean): void {
    this.unseen = !seen;
  }

  private readonly draw = (now: number): void => {
    this.request = requestAnimationFrame(this.draw);
    if (!this.context || this.unseen) return;
    if (this.screen) this.document(this.context);
    else this.scene(this.context, now / 1000 + this.phase);
  };

  /** What people share: a page of lines, in a window. */
  private document(c: CanvasRenderingContext2D): void {
    c.fillStyle = '#f4f5f7';
    c.fillRect(0, 0, WIDTH, HEIGHT);
    c.fillStyle = '#d9dce3';
    c.fillRect(0, 0, WIDTH, 44);
    c.fillStyle = '#2b3140';
    c.font = '600 34px sans-serif';
    c.fillText('The islands, in September', 90, 130);
    c.font = '22px sans-serif';
    const rows = ['Ferry', 'Harbour', 'Lighthouse', 'Old town', 'Market', 'Bay', 'Back'];
    rows.forEach((row, index) => {
      const y = 200 + index * 64;
      c.fillText(`${index + 1}.  ${row}`, 90, y);
      c.fillText(`${8 + index}:30`, 560, y);
      c.fillStyle = `hsl(${this.hue + index * 30} 45% 60%)`;
      c.fillRect(760, y - 24, 380 - index * 34, 30);
      c.fillStyle = '#2b3140';
    });
  }

  private scene(c: CanvasRenderingContext2D, t: number): void {
    const wall = c.createLinearGradient(0, 0, WIDTH, HEIGHT);
    wall.addColorStop(0, `hsl(${this.hue} 24% 62%)`);
    wall.addColorStop(1, `hsl(${this.hue + 30} 30% 34%)`);
    c.fillStyle = wall;
    c.fillRect(0, 0, WIDTH, HEIGHT);

    // A window with a slow sun.
    c.fillStyle = `hsl(${this.hue + 20} 60% 84% / 55%)`;
    c.fillRect(90, 70, 260, 330);
    c.fillStyle = `hsl(${this.hue + 10} 85% 92% / 80%)`;
    this.disc(c, 220 + 60 * Math.sin(t / 3), 200, 46);
    // A shelf.
    c.fillStyle = `hsl(${this.hue + 15} 30% 26% / 60%)`;
    c.fillRect(940, 250, 250, 16);
    for (let book = 0; book < 6; book++) {
      c.fillStyle = `hsl(${this.hue + book * 40} 35% ${40 + (book % 3) * 10}%)`;
      c.fillRect(955 + book * 36, 160 + (book % 2) * 18, 27, 90 - (book % 2) * 18);
    }

    const sway = 14 * Math.sin(t * 0.8);
    const x = WIDTH / 2 + sway;
    const y = 320 + 6 * Math.sin(t * 1.3);
    const skin = `hsl(${20 + (this.hue % 15)} 42% ${48 + (this.hue % 5) * 6}%)`;
    // Shoulders, neck, hair, face.
    c.fillStyle = `hsl(${this.hue + 190} 36% 34%)`;
    c.beginPath();
    c.ellipse(x - sway / 2, HEIGHT + 40, 330, 270, 0, 0, Math.PI * 2);
    c.fill();
    c.fillStyle = skin;
    c.fillRect(x - 52, y + 90, 104, 110);
    c.fillStyle = `hsl(${this.hue / 6} 32% 17%)`;
    c.beginPath();
    c.ellipse(x, y - 30, 152, 178, 0, 0, Math.PI * 2);
    c.fill();
    c.fillStyle = skin;
    c.beginPath();
    c.ellipse(x, y + 14, 122, 152, 0, 0, Math.PI * 2);
    c.fill();
    c.fillStyle = '#2a1d18';
    const blink = Math.sin(t * 0.9) > 0.985 ? 2 : 11;
    for (const side of [-46, 46]) {
      c.beginPath();
      c.ellipse(x + side + sway / 4, y, 11, blink, 0, 0, Math.PI * 2);
      c.fill();
    }
    c.strokeStyle = '#7a3a34';
    c.lineWidth = 9;
    c.lineCap = 'round';
    c.beginPath();
    c.arc(x + sway / 4, y + 50, 42, 0.25 * Math.PI, 0.75 * Math.PI);
    c.stroke();
  }

  private disc(c: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
    c.beginPath();
    c.arc(x, y, radius, 0, Math.PI * 2);
    c.fill();
  }
}
