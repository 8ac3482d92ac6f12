// The page's version, for the settings screen and the server's statistics.

export { version as VERSION } from '../../../package.json';
