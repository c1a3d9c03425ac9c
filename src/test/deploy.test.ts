/** Manifests and the image under deploy/: what they name exists, and they agree with each other and with the command line. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { DEFAULT_SERVE_OPTIONS } from '../serve/context/options.js';
import { expectTaken } from './serve-arguments.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const KUBERNETES = join(ROOT, 'deploy/kubernetes');
const { http, grpc, metrics } = DEFAULT_SERVE_OPTIONS;
const PORTS = { http: http.port, grpc: grpc.port, metrics: metrics.port };

interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string }[];
  readonly resources: { readonly limits: Readonly<Record<string, number>> };
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } };
}

/** The members that are looked at, of every kind of manifest. */
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector: Readonly<Record<string, unknown>>;
    readonly ports: readonly { readonly targetPort: string }[];
    readonly targetPorts: readonly { readonly number: number }[];
    readonly scaleTargetRef: { readonly name: string; readonly kind: string };
    readonly metrics: readonly { readonly pods: { readonly metric: { readonly name: string } } }[];
    readonly template: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations: Readonly<Record<string, string>>;
      };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly Container[];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

const read = (...path: string[]): Manifest =>
  parse(readFileSync(join(KUBERNETES, ...path), 'utf8')) as Manifest;
const deployment = read('replicas/deployment.yaml');
const { template } = deployment.spec;
const container = template.spec.containers[0]!;

describe('manifests', () => {
  test('select the pods that the deployment makes', () => {
    const { labels } = template.metadata;
    expect(deployment.spec.selector).toEqual({ matchLabels: labels });
    expect(read('replicas/service.yaml').spec.selector).toEqual(labels);
    for (const file of ['replicas/disruption.yaml', 'gateway/pool.yaml'])
      expect(read(file).spec.selector, file).toEqual({ matchLabels: labels });
    const { name, kind } = read('replicas/autoscaling.yaml').spec.scaleTargetRef;
    expect([name, kind]).toEqual([deployment.metadata.name, 'Deployment']);
  });

  test('name the ports that the server opens', () => {
    expect(Object.fromEntries(container.ports.map((port) => [port.name, port.containerPort]))).toEqual(PORTS);
    for (const { targetPort } of read('replicas/service.yaml').spec.ports)
      expect(Object.keys(PORTS)).toContain(targetPort);
    expect(read('gateway/pool.yaml').spec.targetPorts).toEqual([{ number: PORTS.http }]);
    expect(template.metadata.annotations['prometheus.io/port']).toBe(String(PORTS.metrics));
  });

  test('ask routes of health that there are', () => {
    const text = readFileSync(join(ROOT, 'docs/guide/serving.md'), 'utf8');
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
      expect(container[probe]!.httpGet.port).toBe('http');
      expect(container[probe]!.httpGet.path).toMatch(/^\/v2\/health\/(ready|live)$/);
    }
    expect(text).toContain('/v2/health/ready');
  });

  test('start the server with flags that it takes, and end it after the time that it has', async () => {
    await expectTaken(container.args);
    const [, seconds] = /--exit-timeout-secs=(\d+)/.exec(container.args.join(' '))!;
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(Number(seconds));
  });

  test('mount volumes that the pod has', () => {
    const volumes = template.spec.volumes.map(({ name }) => name);
    expect(container.volumeMounts.map(({ name }) => name)).toEqual(volumes);
  });

  test('scale on a metric that the server has', () => {
    const names = read('replicas/autoscaling.yaml').spec.metrics.map(({ pods }) => pods.metric.name);
    const reference = readFileSync(join(ROOT, 'docs/reference/metrics.md'), 'utf8');
    for (const name of names) expect(reference).toContain(`\`${name}\``);
  });

  test('are all in the list of a kustomization', () => {
    for (const folder of readdirSync(KUBERNETES)) {
      const { resources } = parse(readFileSync(join(KUBERNETES, folder, 'kustomization.yaml'), 'utf8')) as {
        readonly resources: readonly string[];
      };
      for (const resource of resources)
        expect(existsSync(join(KUBERNETES, folder, resource)), resource).toBe(true);
      const files = readdirSync(join(KUBERNETES, folder)).filter((file) => file !== 'kustomization.yaml');
      expect(resources).toEqual(expect.arrayContaining(files));
    }
  });
});

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

test.skipIf(!hasKubectl)(
  'kubectl puts four GPUs and as many ranks into each replica [needs kubectl]',
  async () => {
    const text = execFileSync('kubectl', ['kustomize', join(KUBERNETES, 'four-gpus')], { encoding: 'utf8' });
    const manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
    const { spec } = manifests.find(({ kind }) => kind === 'Deployment')!;
    const [{ args, resources }] = spec.template.spec.containers as [Container];
    expect(resources.limits).toEqual({ 'nvidia.com/gpu': 4 });
    expect(args).toEqual([...container.args, '--world-size=4']);
    await expectTaken(args);
  },
);

test('the image starts the server with flags that it takes, on the ports that it opens', async () => {
  const text = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');
  await expectTaken(JSON.parse(/^CMD (.*)$/m.exec(text)![1]!) as string[]);
  expect(/^EXPOSE (.*)$/m.exec(text)![1]).toBe(Object.values(PORTS).join(' '));
});
