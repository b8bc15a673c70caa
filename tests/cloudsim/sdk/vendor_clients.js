// SPDX-License-Identifier: GPL-2.0-or-later
// The vendors' own clients against the simulator: node vendor_clients.js CLOUD JSON, run in the folder of their packages.
// JSON: {url, key, secret, region, instance, disk, device, nic, address, group, project}. Prints one line per call: "ACTION ok" or "ACTION CODE".
'use strict';
const http = require('http');
const net = require('net');
const path = require('path');
const { createRequire } = require('module');
const need = createRequire(path.join(process.cwd(), 'package.json'));

const [cloud, text] = process.argv.slice(2);
const at = JSON.parse(text);
const { hostname, port, host } = new URL(at.url);

// Every connection goes to the simulator, whatever the endpoint's name: some clients sign the service that the name begins with, and sign
// the name without the port.
http.globalAgent.createConnection = (options, done) => net.createConnection({ host: hostname, port }, done);

async function call(name, promise) {
  try {
    const answer = await promise();
    console.log(name, 'ok');
    return answer;
  } catch (error) {
    console.log(name, error.code || error.errorCode || error.name, String(error.message || error.errorMsg).split('\n')[0]);
    return null;
  }
}

const clients = {
  async aws() {
    const ec2 = need('@aws-sdk/client-ec2');
    const elb = need('@aws-sdk/client-elastic-load-balancing-v2');
    const config = { region: at.region, endpoint: at.url, maxAttempts: 1, credentials: { accessKeyId: at.key, secretAccessKey: at.secret, sessionToken: at.token } };
    const compute = new ec2.EC2Client(config);
    const balancer = new elb.ElasticLoadBalancingV2Client(config);
    const send = (client, module, action, input) => call(action, () => client.send(new module[action + 'Command'](input)));
    await send(compute, ec2, 'DescribeInstances', { InstanceIds: [at.instance] });
    await send(compute, ec2, 'DescribeVolumes', { VolumeIds: [at.disk] });
    await send(compute, ec2, 'AttachVolume', { VolumeId: at.disk, InstanceId: at.instance, Device: at.device });
    await send(compute, ec2, 'DescribeNetworkInterfaces', { NetworkInterfaceIds: [at.nic] });
    await send(compute, ec2, 'AssignPrivateIpAddresses', { NetworkInterfaceId: at.nic, PrivateIpAddresses: [at.address], AllowReassignment: true });
    await send(compute, ec2, 'UnassignPrivateIpAddresses', { NetworkInterfaceId: at.nic, PrivateIpAddresses: [at.address] });
    await send(compute, ec2, 'DetachVolume', { VolumeId: at.disk, InstanceId: at.instance });
    await send(compute, ec2, 'StopInstances', { InstanceIds: [at.instance], Force: true, SkipOsShutdown: true, DryRun: true });
    const targets = [{ Id: at.instance, Port: 80 }];
    await send(balancer, elb, 'RegisterTargets', { TargetGroupArn: at.group, Targets: targets });
    await send(balancer, elb, 'DescribeTargetHealth', { TargetGroupArn: at.group, Targets: targets });
    await send(balancer, elb, 'DeregisterTargets', { TargetGroupArn: at.group, Targets: targets });
    await send(compute, ec2, 'StopInstances', { InstanceIds: [at.instance], Force: true, SkipOsShutdown: true });
  },

  async aliyun() {
    const Ecs = need('@alicloud/ecs20140526');
    const openapi = need('@alicloud/openapi-client');
    const tea = need('@alicloud/tea-util');
    const config = new openapi.Config({ accessKeyId: at.key, accessKeySecret: at.secret, endpoint: host, protocol: 'http', regionId: at.region });
    const client = new Ecs.default(config);
    const ecs = (action, request) => call(action, () => client[action[0].toLowerCase() + action.slice(1)](new Ecs[action + 'Request'](request)));
    const common = (product, version, action, query, algorithm) => {
      const settings = new openapi.Config({ accessKeyId: at.key, accessKeySecret: at.secret, endpoint: host, protocol: 'http', regionId: at.region });
      if (algorithm) settings.signatureAlgorithm = algorithm;
      const generic = new openapi.default(settings);
      const params = new openapi.Params({ action, version, protocol: 'HTTP', method: 'POST', authType: 'AK', style: 'RPC', pathname: '/',
        reqBodyType: 'formData', bodyType: 'json' });
      return call(action, () => generic.callApi(params, new openapi.OpenApiRequest({ query }), new tea.RuntimeOptions({ autoretry: false })));
    };
    await ecs('DescribeInstances', { regionId: at.region, instanceIds: JSON.stringify([at.instance]) });
    await ecs('DescribeDisks', { regionId: at.region, diskIds: JSON.stringify([at.disk]) });
    await ecs('AttachDisk', { diskId: at.disk, instanceId: at.instance });
    await ecs('DescribeNetworkInterfaces', { regionId: at.region, networkInterfaceId: [at.nic] });
    await ecs('AssignPrivateIpAddresses', { regionId: at.region, networkInterfaceId: at.nic, privateIpAddress: [at.address], clientToken: 'vendor-1' });
    await ecs('UnassignPrivateIpAddresses', { regionId: at.region, networkInterfaceId: at.nic, privateIpAddress: [at.address] });
    await ecs('DetachDisk', { diskId: at.disk, instanceId: at.instance });
    const servers = { 'Servers.1.ServerId': at.instance, 'Servers.1.ServerType': 'Ecs', 'Servers.1.Port': '80' };
    await common('Alb', '2020-06-16', 'AddServersToServerGroup', { ServerGroupId: at.group, ...servers });
    await common('Alb', '2020-06-16', 'ListServerGroupServers', { ServerGroupId: at.group });
    await common('Alb', '2020-06-16', 'RemoveServersFromServerGroup', { ServerGroupId: at.group, ...servers });
    // The older signature, over the parameters.
    await common('Ecs', '2014-05-26', 'DescribeInstanceStatus', { RegionId: at.region, 'InstanceId.1': at.instance }, 'v2');
    await ecs('StopInstance', { instanceId: at.instance, forceStop: true, stoppedMode: 'KeepCharging' });
  },

  async tencent() {
    const cvm = need('tencentcloud-sdk-nodejs-cvm').cvm.v20170312.Client;
    const { CommonClient } = need('tencentcloud-sdk-nodejs-common');
    const config = (service) => ({ credential: { secretId: at.key, secretKey: at.secret, token: at.token }, region: at.region,
      profile: { signMethod: 'TC3-HMAC-SHA256', httpProfile: { protocol: 'http://', endpoint: `${service}.tencentcloudapi.com`, reqMethod: 'POST' } } });
    const compute = new cvm(config('cvm'));
    const generic = (service, version, action, input) => call(action, () => new CommonClient(`${service}.tencentcloudapi.com`, version, config(service)).request(action, input));
    await call('DescribeInstances', () => compute.DescribeInstances({ InstanceIds: [at.instance] }));
    await generic('cbs', '2017-03-12', 'DescribeDisks', { DiskIds: [at.disk] });
    await generic('cbs', '2017-03-12', 'AttachDisks', { DiskIds: [at.disk], InstanceId: at.instance });
    await generic('vpc', '2017-03-12', 'DescribeNetworkInterfaces', { NetworkInterfaceIds: [at.nic] });
    await generic('vpc', '2017-03-12', 'AssignPrivateIpAddresses', { NetworkInterfaceId: at.nic, PrivateIpAddresses: [{ PrivateIpAddress: at.address }] });
    await generic('vpc', '2017-03-12', 'UnassignPrivateIpAddresses', { NetworkInterfaceId: at.nic, PrivateIpAddresses: [{ PrivateIpAddress: at.address }] });
    await new Promise((done) => setTimeout(done, 500));
    await generic('cbs', '2017-03-12', 'DetachDisks', { DiskIds: [at.disk], InstanceId: at.instance });
    const [LoadBalancerId, ListenerId] = at.group.split('/');
    const Targets = [{ InstanceId: at.instance, Port: 80, Weight: 10 }];
    await generic('clb', '2018-03-17', 'RegisterTargets', { LoadBalancerId, ListenerId, Targets });
    await generic('clb', '2018-03-17', 'DescribeTargetHealth', { LoadBalancerIds: [LoadBalancerId] });
    await call('StopInstances', () => compute.StopInstances({ InstanceIds: [at.instance], StopType: 'HARD', StoppedMode: 'KEEP_CHARGING' }));
  },

  async huawei() {
    const core = need('@huaweicloud/huaweicloud-sdk-core');
    const ecs = need('@huaweicloud/huaweicloud-sdk-ecs/v2/public-api');
    const credentials = new core.BasicCredentials().withAk(at.key).withSk(at.secret).withProjectId(at.project);
    const client = ecs.EcsClient.newBuilder().withCredential(credentials).withEndpoint(at.url).build();
    const show = new ecs.ShowServerRequest();
    show.serverId = at.instance;
    await call('ShowServer', () => client.showServer(show));
    const attach = new ecs.AttachServerVolumeRequest();
    attach.serverId = at.instance;
    attach.body = new ecs.AttachServerVolumeRequestBody().withVolumeAttachment(new ecs.AttachServerVolumeOption().withVolumeId(at.disk));
    const job = await call('AttachServerVolume', () => client.attachServerVolume(attach));
    const ask = new ecs.ShowJobRequest();
    ask.jobId = job && (job.job_id || job.jobId);
    await call('ShowJob', () => client.showJob(ask));
    await new Promise((done) => setTimeout(done, 500));
    const blocks = new ecs.ListServerBlockDevicesRequest();
    blocks.serverId = at.instance;
    await call('ListServerBlockDevices', () => client.listServerBlockDevices(blocks));
    const detach = new ecs.DetachServerVolumeRequest();
    detach.serverId = at.instance;
    detach.volumeId = at.disk;
    await call('DetachServerVolume', () => client.detachServerVolume(detach));
    const stop = new ecs.BatchStopServersRequest();
    const option = new ecs.BatchStopServersOption();
    option.type = 'HARD';
    option.servers = [new ecs.ServerId(at.instance)];
    option.servers[0].id = at.instance;
    stop.body = new ecs.BatchStopServersRequestBody();
    stop.body.osStop = option;
    stop.body['os-stop'] = option;
    await call('ServersAction', () => client.batchStopServers(stop));
  },
};

clients[cloud]().catch((error) => {
  console.error(error);
  process.exit(1);
});
