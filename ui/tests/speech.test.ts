import { expect, it } from 'vitest';

import { loudness, SpeechDetector } from '../src/speech';

const fromDecibels = (decibels: number) => 10 ** (decibels / 20);

it('a quiet room does not move the meter, a raised voice fills it', () => {
  expect(loudness(0)).toBe(0);
  expect(loudness(fromDecibels(-60))).toBe(0);
  expect(loudness(fromDecibels(-32.5))).toBeCloseTo(0.5);
  expect(loudness(fromDecibels(-10))).toBeCloseTo(1);
  expect(loudness(1)).toBe(1);
});

it('ordinary speech is speech, a fan is not', () => {
  const heard = (decibels: number) =>
    new SpeechDetector().hear(new Map([['a', loudness(fromDecibels(decibels))]]), 0).has('a');
  expect(heard(-26)).toBe(true);
  expect(heard(-50)).toBe(false);
});

it('speaking begins at once and outlasts the pauses between words', () => {
  const detector = new SpeechDetector();
  const at = (loud: number, now: number) => detector.hear(new Map([['a', loud]]), now).has('a');
  expect(at(0.3, 0)).toBe(false);
  expect(at(0.6, 100)).toBe(true);
  expect(at(0.1, 700)).toBe(true);
  expect(at(0.1, 701)).toBe(false);
  expect(at(0.3, 800)).toBe(false);
});

it('nobody speaks who is no longer there', () => {
  const detector = new SpeechDetector();
  detector.hear(new Map([['a', 1]]), 0);
  expect(detector.hear(new Map(), 10).size).toBe(0);
});
