// kube-apiserver with an etcd of its own: one process, one folder of data.
package main

import (
	"log"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// apiserver DATA CLIENT-URL PEER-URL KUBE-APISERVER-FLAGS...
func main() {
	if len(os.Args) < 4 {
		log.Fatal("usage: apiserver DATA CLIENT-URL PEER-URL [kube-apiserver flags]")
	}
	config := embed.NewConfig()
	config.Dir = os.Args[1]
	config.LogLevel = "error"
	config.UnsafeNoFsync = true // thrown away when it ends
	client, peer := address(os.Args[2]), address(os.Args[3])
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		log.Fatal(err)
	}
	<-etcd.Server.ReadyNotify()
	command := app.NewAPIServerCommand()
	command.SetArgs(append([]string{"--etcd-servers=" + os.Args[2]}, os.Args[4:]...))
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}

func address(text string) url.URL {
	parsed, err := url.Parse(text)
	if err != nil {
		log.Fatal(err)
	}
	return *parsed
}
