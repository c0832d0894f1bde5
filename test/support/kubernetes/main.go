// Reads manifests from standard input, one object each, as Kubernetes itself does: into the types of its API, where a
// field that no type has, or that stands twice, is an error. Prints one line for each object.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func target(kind string) any {
	switch kind {
	case "v1/Namespace":
		return &corev1.Namespace{}
	case "v1/Secret":
		return &corev1.Secret{}
	case "v1/ConfigMap":
		return &corev1.ConfigMap{}
	case "v1/Service":
		return &corev1.Service{}
	case "v1/ServiceAccount":
		return &corev1.ServiceAccount{}
	case "apps/v1/StatefulSet":
		return &appsv1.StatefulSet{}
	case "policy/v1/PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	case "networking.k8s.io/v1/NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	}
	return nil
}

func main() {
	input, err := io.ReadAll(bufio.NewReader(os.Stdin))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failed := false
	for _, document := range strings.Split(string(input), "\n---\n") {
		var meta struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(document), &meta); err != nil {
			fmt.Println("unreadable:", err)
			failed = true
			continue
		}
		name := meta.APIVersion + "/" + meta.Kind
		object := target(name)
		if object == nil {
			fmt.Println("unknown:", name)
			failed = true
		} else if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			fmt.Println("wrong:", name, meta.Name, err)
			failed = true
		} else {
			fmt.Println(name, meta.Name)
		}
	}
	if failed {
		os.Exit(1)
	}
}
