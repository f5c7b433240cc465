import { expect, test } from 'vitest';
import { routeText } from './routes.ts';

test('a route is one line that says all of it', () => {
  const route = {
    ...{ from: 'scans', source: 'device-*', where: { label: 'alarm', headers: { belt: '3' } } },
    ...{ to: ['central/alarms', 'topic:hall/2'], priority: 7, timeToReachQueueMs: 1_000, taken: 4 },
  };
  expect(routeText(route)).toBe(
    'scans of device-* where label = "alarm", headers.belt = "3" to central/alarms, topic:hall/2 with priority 7, timeToReachQueueMs 1000',
  );
  expect(routeText({ from: 'a*', to: ['b'], taken: 0 })).toBe('a* to b');
});
