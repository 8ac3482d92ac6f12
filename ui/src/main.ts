import { mount } from 'svelte';

import { App } from './app.svelte';
import type { CallEngine } from './engine/engine';
import Root from './Root.svelte';
import './styles/tokens.css';
import './styles/base.css';

async function engine(): Promise<CallEngine> {
  const query = new URLSearchParams(location.search);
  // Only on request, so that nobody takes painted people for real ones; and in its own file,
  // which the app never loads.
  if (query.has('demo')) {
    const { DemoEngine } = await import('./engine/demo');
    return new DemoEngine(query);
  }
  // Tauri says so in every page of its own. Each engine is in a file by itself: a guest's page loads
  // nothing of the app's, nor the app of a guest's.
  if ('isTauri' in window) {
    const { NativeEngine } = await import('./engine/native');
    return new NativeEngine();
  }
  const { BrowserEngine } = await import('./engine/browser/browser_engine');
  return new BrowserEngine();
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
const app = new App(await engine());
mount(Root, { target, props: { app } });
await app.start();
