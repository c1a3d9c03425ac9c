/** Manifests under deploy/, and those that the chart makes, against Kubernetes' schemas and types. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_SERVE_OPTIONS } from '../serve/context/options.js';
import { canRender, CHART, rendered, type Values, valuesWith } from './charts.js';
import { type AnyManifest, manifestsOf, manifestFault, typeFaults, withSchema } from './manifests.js';
import { expectTaken } from './serve-arguments.js';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const { http, grpc, metrics } = DEFAULT_SERVE_OPTIONS;

/** The members that are looked at. */
interface Workload {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels: Values };
    readonly template: { readonly metadata: { readonly labels: Values }; readonly spec: PodSpec };
  };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [
    {
      readonly args: readonly string[];
      readonly ports: readonly { readonly containerPort: number }[];
      readonly volumeMounts: readonly { readonly name: string }[];
      readonly resources: { readonly limits: Values };
    },
  ];
  readonly volumes: readonly { readonly name: string }[];
}

/** Fails unless schemas and types take the manifests. */
function expectValid(manifests: readonly AnyManifest[]): void {
  const checked = withSchema(manifests);
  expect(checked.map(manifestFault).filter((fault) => fault !== undefined)).toEqual([]);
  expect(typeFaults(checked)).toBe('');
}

/** Fails unless the server takes the container's arguments, opens its ports, and has the pod's volumes and time to end. */
async function expectServer(pod: PodSpec): Promise<void> {
  const [{ args, ports, volumeMounts }] = pod.containers;
  await expectTaken(args);
  expect(ports.map(({ containerPort }) => containerPort)).toEqual([http.port, grpc.port, metrics.port]);
  expect(volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
  const [, seconds] = /--exit-timeout-secs=(\d+)/.exec(args.join(' '))!;
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(seconds));
}

describe('manifests', () => {
  const files = ['kubernetes', 'leaderworkerset'].flatMap((folder) =>
    readdirSync(join(DEPLOY, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => join(folder, name)),
  );
  const read = (file: string) => manifestsOf(readFileSync(join(DEPLOY, file), 'utf8'));

  test('are what the schemas of their kinds allow', () => {
    const manifests = files.flatMap(read);
    expect(withSchema(manifests).length).toBeGreaterThan(5);
    expectValid(manifests);
  });

  test('with faults are refused', () => {
    const [service] = read('kubernetes/replicas/service.yaml') as [AnyManifest];
    const spec = service['spec'] as Values;
    expect(manifestFault({ ...service, spec: { ...spec, ports: [{ name: 'http' }] } })).toMatch(/port/);
    expect(manifestFault({ ...service, kind: 'Servise' })).toBe('v1 has no Servise');
    expect(typeFaults([{ ...service, spec: { ...spec, selektor: {} } }])).toMatch(/selektor/);
    expect(() => withSchema([{ ...service, apiVersion: 'example.com/v1' }])).toThrow(/example\.com/);
  });

  test('of groups give each pod a GPU for every rank, on one host', async () => {
    const [set] = read('leaderworkerset/leaderworkerset.yaml') as unknown as [
      {
        readonly spec: {
          readonly leaderWorkerTemplate: {
            readonly size: number;
            readonly workerTemplate: {
              readonly metadata: { readonly labels: Values };
              readonly spec: PodSpec;
            };
          };
        };
      },
    ];
    const { size, workerTemplate } = set.spec.leaderWorkerTemplate;
    await expectServer(workerTemplate.spec);
    const [{ args, resources }] = workerTemplate.spec.containers;
    expect(size).toBe(1);
    expect(args).toContain(`--world-size=${String(resources.limits['nvidia.com/gpu'])}`);
    const [service] = read('leaderworkerset/service.yaml') as unknown as [Workload];
    expect(service.spec.selector).toEqual(workerTemplate.metadata.labels);
    const [{ resources: listed }] = read('leaderworkerset/kustomization.yaml') as [AnyManifest];
    const others = readdirSync(join(DEPLOY, 'leaderworkerset')).filter(
      (name) => name !== 'kustomization.yaml',
    );
    expect([...(listed as string[])].toSorted()).toEqual(others.toSorted());
  });
});

describe('the chart', () => {
  const readText = (...path: string[]) => readFileSync(join(CHART, ...path), 'utf8');
  const values = parse(readText('values.yaml')) as Values;
  const schema = JSON.parse(readText('values.schema.json')) as Values;
  const takes = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
  const templates = readdirSync(join(CHART, 'templates'))
    .map((name) => readText('templates', name))
    .join('\n');

  test('has values that its schema takes', () => {
    expect(takes(values), JSON.stringify(takes.errors)).toBe(true);
  });

  test.each<[string, Values]>([
    ['a misspelt value', { replica: 3 }],
    ['a misspelt member', { autoscaling: { max: 3 } }],
    ['no model', { model: { claim: '' } }],
    ['two models', { model: { image: 'models:1' } }],
    ['an unknown way to scale', { autoscaling: { kind: 'vpa' } }],
    ['a queue of no time', { autoscaling: { targetQueueSeconds: 0 } }],
    ['a part of a GPU', { gpus: { count: 0.5 } }],
    ['an argument that is no flag', { server: { extraArgs: ['serve'] } }],
  ])('refuses %s', (_, changes) => {
    expect(takes(valuesWith(changes))).toBe(false);
  });

  test('uses every value, and no other', () => {
    const used = new Set(Array.from(templates.matchAll(/\.Values\.([\w.]*\w)/g), ([, path]) => path!));
    for (const path of used) {
      const value = path.split('.').reduce<unknown>((inner, name) => (inner as Values)[name], values);
      expect(value, path).toBeDefined();
    }
    const leaves = (inner: Values, before: string): string[] =>
      Object.entries(inner).flatMap(([name, value]) =>
        used.has(before + name) || typeof value !== 'object' || Object.keys(value ?? {}).length === 0
          ? [before + name]
          : leaves(value as Values, `${before}${name}.`),
      );
    expect(leaves(values, '').filter((path) => !used.has(path))).toEqual([]);
  });

  test('scales on metrics that the server has', () => {
    const text = templates + readText('prometheus-adapter.yaml');
    const names = new Set(Array.from(text.matchAll(/(aloft_\w+)_(?:sum|count)\b/g), ([, name]) => name!));
    const reference = readFileSync(join(DEPLOY, '../docs/reference/metrics.md'), 'utf8');
    expect([...names]).toEqual(['aloft_queue_seconds']);
    expect(reference).toContain('| `aloft_queue_seconds` | histogram |');
    const rule = parse(readText('prometheus-adapter.yaml')) as {
      readonly rules: { readonly external: readonly [{ readonly name: { readonly as: string } }] };
    };
    expect((values['autoscaling'] as { hpa: Values }).hpa['metric']).toBe(rule.rules.external[0].name.as);
  });
});

describe.skipIf(!canRender)(
  'the rendered chart [needs Go and Sprig: apt-get install golang-go golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev]',
  () => {
    const all = (changes: Values) => {
      const manifests = rendered(changes);
      const find = (kind: string) => manifests.find((manifest) => manifest.kind === kind) as unknown;
      return { manifests, find, deployment: find('Deployment') as Workload };
    };

    test.each<[string, Values, readonly string[]]>([
      ['by default', {}, ['Deployment', 'PodDisruptionBudget', 'Service']],
      [
        'with everything',
        {
          autoscaling: { kind: 'keda' },
          metrics: { scrape: 'podMonitor' },
          gpus: { count: 4 },
          server: { keySecret: 'keys', extraArgs: ['--log-verbose=1'] },
          image: { pullSecrets: [{ name: 'registry' }] },
          model: { claim: '', image: 'registry.example/models:1' },
          nodeSelector: { gpu: 'h200' },
          tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' }],
          affinity: { podAntiAffinity: {} },
          podAnnotations: { team: 'chat' },
          service: { type: 'LoadBalancer', annotations: { internal: 'true' } },
        },
        ['Deployment', 'PodDisruptionBudget', 'PodMonitor', 'ScaledObject', 'Service'],
      ],
      [
        'with an adapter, on CPUs',
        {
          autoscaling: { kind: 'hpa' },
          gpus: { count: 0 },
          metrics: { scrape: 'none' },
          resources: { limits: null },
        },
        ['Deployment', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'Service'],
      ],
    ])('%s is what the schemas allow', async (_, changes, kinds) => {
      const { manifests, deployment } = all(changes);
      expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(kinds);
      expectValid(manifests);
      await expectServer(deployment.spec.template.spec);
      const { labels } = deployment.spec.template.metadata;
      expect(labels).toMatchObject(deployment.spec.selector.matchLabels);
    });

    test('has a rank for each GPU', () => {
      const [{ args, resources }] = all({ gpus: { count: 4 } }).deployment.spec.template.spec.containers;
      expect(args).toContain('--world-size=4');
      expect(resources.limits['nvidia.com/gpu']).toBe(4);
      const [one] = all({}).deployment.spec.template.spec.containers;
      expect(one.args.join(' ')).not.toContain('--world-size');
    });

    test('leaves the number of replicas to what scales them', () => {
      expect(all({ replicas: 3 }).deployment.spec.replicas).toBe(3);
      for (const kind of ['keda', 'hpa']) {
        const { find, deployment } = all({ autoscaling: { kind, targetQueueSeconds: 0.25 } });
        expect(deployment.spec.replicas).toBeUndefined();
        const scaler = JSON.stringify(find(kind === 'keda' ? 'ScaledObject' : 'HorizontalPodAutoscaler'));
        expect(scaler).toContain(kind === 'keda' ? '"threshold":"0.25"' : '"value":"250m"');
        expect(scaler).toContain('"name":"chat-aloft"');
      }
    });
  },
);
